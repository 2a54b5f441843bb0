//! Errors.

use std::error::Error;
use std::fmt;

/// Why a call to the queue or the store failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ScaleError {
    /// Another worker has written the next entry of the log: this worker has lost its lease.
    Fenced,
    /// The object exists already.
    Exists(String),
    /// The object does not exist.
    Missing(String),
    /// The queue does not know this run.
    NoRun,
    /// The queue cannot be reached, or refuses a call.
    Queue(String),
    /// The store cannot be reached, or refuses a call.
    Store(String),
    /// An address of a queue or a store that cannot be used, and why.
    Address(String),
    /// An object that is not what it should be, and why.
    Damaged(String),
}

impl fmt::Display for ScaleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced => f.write_str("another worker has taken over the partition"),
            Self::Exists(name) => write!(f, "{name} exists already"),
            Self::Missing(name) => write!(f, "{name} does not exist"),
            Self::NoRun => f.write_str(
                "the queue does not know this run: `fetch-all plan --resume` queues again what is not complete",
            ),
            Self::Queue(why) => write!(f, "queue: {why}"),
            Self::Store(why) => write!(f, "results: {why}"),
            Self::Address(why) | Self::Damaged(why) => f.write_str(why),
        }
    }
}

impl Error for ScaleError {}

impl From<redis::RedisError> for ScaleError {
    fn from(error: redis::RedisError) -> Self {
        match error.code() {
            Some("NOGROUP") => Self::NoRun,
            _ if error.to_string().contains("NOGROUP") => Self::NoRun,
            _ => Self::Queue(error.to_string()),
        }
    }
}
