//! File descriptors and other resources of this machine that connections use up.

use std::io;

/// Whether an error means that this machine has no descriptor, port or buffer left.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    #[cfg(unix)]
    let codes = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS];
    // WSAEMFILE and WSAENOBUFS.
    #[cfg(not(unix))]
    let codes = [10024, 10055];
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error
            .raw_os_error()
            .is_some_and(|code| codes.contains(&code))
}

/// Raises this process's limit on open files as far as the system allows, and returns the new limit.
///
/// Each connection takes one descriptor, and the usual limit of 1,024 is soon reached. Call it once
/// at the start. Systems without such a limit return `u64::MAX`.
///
/// ```
/// let limit = fetch_http::raise_fd_limit()?;
/// assert!(limit > 0);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// The system's error. The old limit then still applies.
pub fn raise_fd_limit() -> io::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(unix)]
    fn a_full_descriptor_table_is_exhaustion_and_a_refusal_is_not() {
        use super::*;

        assert!(is_exhausted(&io::Error::from_raw_os_error(libc::EMFILE)));
        assert!(is_exhausted(&io::Error::from_raw_os_error(
            libc::EADDRNOTAVAIL
        )));
        assert!(!is_exhausted(&io::Error::from_raw_os_error(
            libc::ECONNREFUSED
        )));
    }
}
