//! Errors that make a file unusable as a trace.

use std::{fmt, io};

use crate::format::frame::VERSION;

/// The file is not a trace, or not one that this version can read. A trace that is cut off or damaged
/// after its head is not an error: see [`TraceEnd`](crate::TraceEnd).
#[derive(Debug)]
#[non_exhaustive]
pub enum TraceError {
    /// The head is cut off, damaged, or has settings that this version does not know.
    Head(String),
    /// Reading failed.
    Io(io::Error),
    /// The file does not start with the magic bytes of a trace.
    NotATrace,
    /// The file has another version of the format.
    Version(u16),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(reason) => write!(f, "the head of the trace is unusable: {reason}"),
            Self::Io(error) => write!(f, "the trace cannot be read: {error}"),
            Self::NotATrace => f.write_str("not a trace (wrong first bytes): record the run again"),
            Self::Version(version) => write!(
                f,
                "the trace has format {version}, but this version reads format {VERSION}: use the \
                 version that wrote it"
            ),
        }
    }
}

impl std::error::Error for TraceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for TraceError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
