//! Why a file cannot be used at all.

use std::{fmt, io};

use crate::frame::VERSION;

/// A file is no trace, or not one that this version can read. A trace that was cut or damaged later
/// on is no error: see [`Ending`](crate::TraceEnd).
#[derive(Debug)]
#[non_exhaustive]
pub enum TraceError {
    /// What is needed before the first call is cut off, damaged, or from a version whose settings
    /// this one does not know.
    Head(String),
    /// The file could not be read.
    Io(io::Error),
    /// It does not begin as a trace does.
    NotATrace,
    /// It is of another version of the format.
    Version(u16),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(why) => write!(f, "the trace's head cannot be used: {why}"),
            Self::Io(error) => write!(f, "the trace cannot be read: {error}"),
            Self::NotATrace => f.write_str("not a trace: it does not begin as one; record it anew"),
            Self::Version(version) => write!(
                f,
                "a trace of format {version}, and this version reads {VERSION}: use the version \
                 that wrote it"
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
