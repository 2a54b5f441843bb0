//! Exit codes, and the error that ends the command.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The exit codes: those of GNU Wget, and a few more.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub(crate) enum ExitStatus {
    Internal = 1,
    /// Wrong options, or lines that are not URLs.
    Usage = 2,
    File = 3,
    Network = 4,
    Tls = 5,
    Auth = 6,
    Protocol = 7,
    Http = 8,
    /// Stopped before all URLs were fetched: `--deadline`, `--fail-early`, `--max-errors`.
    Unfinished = 20,
    Interrupted = 130,
    Terminated = 143,
}

/// The table of `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes (if URLs fail differently, the lowest wins, 1 only if nothing else applies; a signal's
code overrides all):
  0    every URL was fetched (without -f, with any status)
  1    internal error
  2    wrong options, or lines that are not URLs
  3    a file could not be read or written
  4    network: DNS, connection, timeout
  5    TLS
  6    no token for authentication; 401, 403 or 407 with --fail
  7    protocol: invalid HTTP, too many redirects, body too large
  8    another HTTP error status, with --fail
  20   stopped before the end: --deadline, --fail-early, --max-errors
  130  Ctrl-C
  143  SIGTERM";

/// The description of a code in the table.
pub(crate) fn meaning(code: u8) -> &'static str {
    let mut rows = EXIT_CODES
        .lines()
        .filter_map(|row| row.trim().split_once(' '));
    let row = rows.find(|(number, _)| number.parse() == Ok(code));
    row.map_or("", |(_, meaning)| meaning.trim())
}

/// The exit code that wins so far, shared between threads; 0 if there is none.
#[derive(Debug, Default)]
pub(crate) struct WorstStatus(AtomicU8);

impl WorstStatus {
    pub(crate) fn record(&self, code: ExitStatus) {
        let code = code as u8;
        let wins = |old| old == 0 || (code != 1 && (old == 1 || code < old));
        // `Err` means that the old code stays.
        let _ = self
            .0
            .fetch_update(Relaxed, Relaxed, |old| wins(old).then_some(code));
    }

    pub(crate) fn get(&self) -> u8 {
        self.0.load(Relaxed)
    }
}

/// An error that ends the command, with its exit code.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) code: ExitStatus,
    pub(crate) message: String,
}

impl CliError {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            code: ExitStatus::Usage,
            message: message.into(),
        }
    }

    pub(crate) fn file(message: impl Into<String>) -> Self {
        Self {
            code: ExitStatus::File,
            message: message.into(),
        }
    }

    /// The error, with the place where it occurred.
    pub(crate) fn at(self, place: &str) -> Self {
        let message = format!("{place}: {}", self.message);
        Self { message, ..self }
    }

    pub(crate) fn internal(message: impl fmt::Display) -> Self {
        Self {
            code: ExitStatus::Internal,
            message: message.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_code_wins_and_1_only_if_alone() {
        let status = WorstStatus::default();
        assert_eq!(status.get(), 0);
        for code in [
            ExitStatus::Internal,
            ExitStatus::Http,
            ExitStatus::Network,
            ExitStatus::Internal,
            ExitStatus::Unfinished,
        ] {
            status.record(code);
        }
        assert_eq!(status.get(), 4);
    }

    #[test]
    fn the_table_describes_every_code() {
        for code in [0, 1, 2, 3, 4, 5, 6, 7, 8, 20, 130, 143] {
            assert!(!meaning(code).is_empty(), "{code}");
        }
        assert_eq!(meaning(5), "TLS");
        assert!(meaning(20).ends_with("--max-errors"));
    }
}
