//! curl's bound on file descriptors.
//!
//! The curl that isahc builds in waits with `select`, not `poll`: curl-sys 0.4.91 defines
//! `HAVE_POLL_FINE`, where curl 8.22 reads `HAVE_POLL` (`lib/select.c`). It refuses every socket whose
//! descriptor is `FD_SETSIZE` or more, whatever the process's own limit.

use fetch_driver::{BuildError, Settings};

/// `FD_SETSIZE`.
const BOUND: usize = 1_024;
/// What a client at work holds: its socket, what wakes its thread, and those of its poller and curl.
const EACH: usize = 8;
/// What is left for the rest of the process.
const SPARE: usize = 124;
/// The most clients that fit.
const MOST: usize = (BOUND - SPARE) / EACH;

/// Why a connection fails then.
pub(crate) const OUT_OF_REACH: &str = "isahc's curl cannot use file descriptors from 1024 on, and \
    this process has reached them: lower `concurrency` or `max_connections`, or take the adapter \
    for smol or tokio";

/// Refuses more connections than curl has descriptors for.
pub(crate) fn check(settings: &Settings) -> Result<(), BuildError> {
    let busy = settings
        .pool
        .max_connections
        .unwrap_or_else(|| settings.config.concurrency_limit());
    if cfg!(not(unix)) || busy <= MOST {
        return Ok(());
    }
    let setting = match settings.pool.max_connections {
        Some(_) => "max_connections",
        None => "concurrency",
    };
    let why = format!(
        "isahc's curl cannot use file descriptors from {BOUND} on, which is enough for {MOST} \
         connections: set it to that or less, or take the adapter for smol or tokio"
    );
    Err(BuildError::new(setting, why))
}

/// How many connections there may be, idle ones included.
pub(crate) fn limit(settings: &Settings) -> usize {
    settings.connection_limit().min(MOST)
}

/// Whether the next socket would be one that curl cannot use.
#[cfg(unix)]
pub(crate) fn are_out_of_reach() -> bool {
    use std::os::fd::AsRawFd;
    let next = std::fs::File::open("/dev/null");
    next.is_ok_and(|file| file.as_raw_fd() as usize >= BOUND)
}

/// Whether the next socket would be one that curl cannot use.
#[cfg(not(unix))]
pub(crate) fn are_out_of_reach() -> bool {
    false
}
