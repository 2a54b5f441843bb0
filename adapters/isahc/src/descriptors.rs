//! curl's limit on file descriptors.
//!
//! The curl that isahc bundles waits with `select`, not `poll`: curl-sys 0.4.91 defines
//! `HAVE_POLL_FINE`, while curl 8.22 reads `HAVE_POLL` (`lib/select.c`). It refuses every socket whose
//! descriptor is `FD_SETSIZE` or more, whatever the limit of the process.

use fetch_driver::{BuildError, Settings};

/// `FD_SETSIZE`: the first descriptor that curl cannot use.
const FIRST_UNUSABLE: usize = 1_024;
/// The descriptors of a client in use: a socket, the pipe that wakes its thread, its poller and curl's.
const DESCRIPTORS_PER_CLIENT: usize = 8;
/// The descriptors that the rest of the process may use.
const RESERVED: usize = 124;
/// The most clients.
const MAX_CLIENTS: usize = (FIRST_UNUSABLE - RESERVED) / DESCRIPTORS_PER_CLIENT;

/// The error text if a connection fails because no usable descriptor is left.
pub(crate) const EXHAUSTED: &str = "isahc's curl cannot use file descriptors from 1024 on, and \
    this process has reached them: lower `concurrency` or `max_connections`, or take the adapter \
    for smol or tokio";

/// Rejects settings with more connections than curl has descriptors for.
pub(crate) fn check_limit(settings: &Settings) -> Result<(), BuildError> {
    let limit = settings.pool.max_connections;
    let busy = limit.unwrap_or_else(|| settings.config.concurrency_limit());
    if cfg!(not(unix)) || busy <= MAX_CLIENTS {
        return Ok(());
    }
    let setting = match settings.pool.max_connections {
        Some(_) => "max_connections",
        None => "concurrency",
    };
    let reason = format!(
        "isahc's curl cannot use file descriptors from {FIRST_UNUSABLE} on, which is enough for \
         {MAX_CLIENTS} connections: set it to that or less, or take the adapter for smol or tokio"
    );
    Err(BuildError::new(setting, reason))
}

/// How many connections may be open, including idle ones.
pub(crate) fn connection_limit(settings: &Settings) -> usize {
    settings.connection_limit().min(MAX_CLIENTS)
}

/// Whether curl could not use the next descriptor that is opened.
#[cfg(unix)]
pub(crate) fn are_exhausted() -> bool {
    use std::os::fd::AsRawFd;
    let next = std::fs::File::open("/dev/null");
    next.is_ok_and(|file| file.as_raw_fd() as usize >= FIRST_UNUSABLE)
}

/// Whether curl could not use the next descriptor that is opened.
#[cfg(not(unix))]
pub(crate) fn are_exhausted() -> bool {
    false
}
