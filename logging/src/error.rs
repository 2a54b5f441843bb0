//! Why a log cannot be started.

use std::fmt;
use std::io;

/// Why a log cannot be started. Displays as one line with the advice.
#[derive(Debug)]
#[non_exhaustive]
pub enum LogError {
    /// The program has a logger already.
    AlreadyInstalled,
    /// The file cannot be opened. The error names the path and says what to do.
    File(io::Error),
    /// The filter cannot be parsed: the text says where.
    Filter(String),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyInstalled => f.write_str(
                "cannot start the log: the program has a logger already: start one only",
            ),
            Self::File(error) => write!(f, "{error}"),
            Self::Filter(why) => write!(f, "bad log filter {why}"),
        }
    }
}

impl std::error::Error for LogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(error) => Some(error),
            Self::AlreadyInstalled | Self::Filter(_) => None,
        }
    }
}
