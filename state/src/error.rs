//! Errors of opening a state, and repairs of its output.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io;

use crate::{FORMAT_VERSION, MANIFEST_NAME};

/// Why a state cannot be opened. The message says what is wrong with the directory and what to do,
/// without the directory's name.
#[derive(Debug)]
#[non_exhaustive]
pub enum StateError {
    /// The path is not a directory.
    NotDirectory,
    /// The directory cannot be created.
    Create(io::Error),
    /// The directory cannot be read.
    ReadDirectory(io::Error),
    /// The directory has files, such as this one, but no state.
    OtherFiles(OsString),
    /// The directory has no state, or does not exist.
    NoState,
    /// The lock's file cannot be opened.
    OpenLock(io::Error),
    /// The lock file cannot be locked, for example because the file system has no locks.
    Lock(io::Error),
    /// Another process has opened the state. Its id, if it is known.
    InUse(Option<u32>),
    /// The manifest cannot be read.
    ReadManifest(io::Error),
    /// The manifest cannot be parsed, for this reason.
    InvalidManifest(String),
    /// The state has this format version, which is not supported.
    OtherVersion(u64),
    /// The state was created for requests with other properties.
    OtherRequest(Vec<ChangedProperty>),
    /// A file of the state cannot be read, created or written, or is damaged. An error of kind
    /// [`io::ErrorKind::InvalidData`] means damage.
    Read(io::Error),
    /// A new output cannot be recorded in the manifest.
    Write(io::Error),
    /// The output cannot be used.
    Output(OutputError),
}

/// A property that all requests share, and that has changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChangedProperty {
    /// Its name.
    pub name: String,
    /// Its value when the state was created.
    pub before: Option<String>,
    /// Its value now.
    pub now: Option<String>,
}

/// Why the output cannot be used. The message says what is wrong with the file and what to do,
/// without the file's name.
#[derive(Debug)]
#[non_exhaustive]
pub enum OutputError {
    /// Its directory cannot be used.
    Directory(io::Error),
    /// It cannot be created.
    Create(io::Error),
    /// It has content, but is not an output of the state.
    NotEmpty,
    /// It has records of another format.
    OtherFormat {
        /// The format of its records.
        before: String,
        /// The format of this run.
        now: String,
    },
    /// It does not exist, although the state has records in it.
    Missing,
    /// It is shorter than its durable length.
    Shorter {
        /// Its length.
        length: u64,
        /// Its durable length.
        durable: u64,
    },
    /// It cannot be opened or truncated.
    Continue(io::Error),
}

/// A removed end of the journal: an incomplete block, such as a power failure leaves. Its requests
/// are not completed, and their records are removed from the output.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JournalCut {
    /// The name of the journal's file in the directory.
    pub file: String,
    /// Where the incomplete block began.
    pub offset: u64,
    /// The number of bytes that were removed.
    pub length: u64,
}

/// A repair at the end of the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutputRepair {
    /// Removed this number of bytes, which were written but not committed.
    RemovedUncommitted(u64),
    /// Removed the damaged records of this number of requests, which are no longer completed.
    DroppedDamaged(u64),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDirectory => {
                f.write_str("is not a directory: use an existing or a new directory")
            }
            Self::Create(error) => write!(f, "cannot be created: {error}"),
            Self::ReadDirectory(error) => write!(f, "cannot be read: {error}"),
            Self::OtherFiles(name) => write!(
                f,
                "has files, such as {}, but no state: use a new or an empty directory",
                name.display()
            ),
            Self::NoState => f.write_str("has no state"),
            Self::OpenLock(error) => write!(f, "cannot be locked: {error}"),
            Self::Lock(error) => write!(
                f,
                "cannot be locked: {error}: choose a directory on a local disk"
            ),
            Self::InUse(holder) => {
                match holder {
                    Some(id) => write!(f, "is in use by process {id}")?,
                    None => f.write_str("is in use by another run")?,
                }
                f.write_str(": wait for it, or use another directory")
            }
            Self::ReadManifest(error) => write!(f, "{} cannot be read: {error}", MANIFEST_NAME),
            Self::InvalidManifest(reason) => write!(
                f,
                "{MANIFEST_NAME} is damaged, or not of fetch-all: {reason}"
            ),
            Self::OtherVersion(version) => write!(
                f,
                "was created by another version of fetch-all (format {version}, this one knows \
                 {}): use that version, or another directory",
                FORMAT_VERSION
            ),
            Self::OtherRequest(changes) => {
                f.write_str("was created with other requests: ")?;
                for (index, change) in changes.iter().enumerate() {
                    let separator = if index > 0 { "; " } else { "" };
                    write!(f, "{separator}{change}")?;
                }
                f.write_str(": use another directory")
            }
            Self::Read(error) => write!(f, "cannot be used: {error}"),
            Self::Write(error) => write!(f, "cannot be written: {error}"),
            Self::Output(error) => write!(f, "the output {error}"),
        }
    }
}

impl fmt::Display for ChangedProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &'_ Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let (before, now) = (shown(&self.before), shown(&self.now));
        write!(f, "{} was {before} and is {now}", self.name)
    }
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) => {
                write!(f, "cannot be written: {error}: its directory must exist")
            }
            Self::Create(error) => write!(f, "cannot be written: {error}"),
            Self::NotEmpty => f.write_str(
                "is not empty and not part of the state: use another file, or remove it",
            ),
            Self::OtherFormat { before, now } => {
                write!(f, "has records of {before}, not {now}: use another file")
            }
            Self::Missing => f.write_str(
                "is missing, and by the state it has records: restore it, or use a new file",
            ),
            Self::Shorter { length, durable } => write!(
                f,
                "is shorter ({length} bytes) than it was ({durable} by the state): restore it, or \
                 use another file and another state"
            ),
            Self::Continue(error) => write!(f, "cannot be continued: {error}"),
        }
    }
}

impl Error for StateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Create(error)
            | Self::ReadDirectory(error)
            | Self::OpenLock(error)
            | Self::Lock(error)
            | Self::ReadManifest(error)
            | Self::Read(error)
            | Self::Write(error) => Some(error),
            Self::Output(error) => Some(error),
            _ => None,
        }
    }
}

impl Error for OutputError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Directory(error) | Self::Create(error) | Self::Continue(error) => Some(error),
            _ => None,
        }
    }
}

impl From<OutputError> for StateError {
    fn from(error: OutputError) -> Self {
        Self::Output(error)
    }
}
