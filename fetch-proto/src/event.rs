//! Why each decision was taken, as values a caller may log.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use url::Url;

use crate::failure::Failure;
use crate::outcome::GaveUp;
use crate::policy::Limit;

/// A decision and its reason. Display gives one line.
///
/// Off by default; see [`Config::events`](crate::Config::events) and
/// [`Fetch::with_events`](crate::Fetch::with_events).
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Event {
    /// A response's head came.
    Answered {
        /// Which attempt.
        attempt: u16,
        /// Its status.
        status: u16,
    },
    /// There will be no further retry.
    GaveUp {
        /// What would have been worth one.
        cause: Cause,
        /// Why there is none.
        why: GaveUp,
    },
    /// The host rests because its server asked to.
    HostPaused {
        /// Scheme, host and port.
        host: Box<str>,
        /// For how long.
        pause: Duration,
    },
    /// Fewer attempts run at once because the machine ran out of file descriptors or ports.
    Pressure {
        /// How many may run now.
        concurrency: usize,
    },
    /// The fetch goes to another URL.
    Redirecting {
        /// Whether credentials stay behind, because the origin changes.
        credentials_dropped: bool,
        /// The status that said so.
        status: u16,
        /// The new target.
        to: Arc<Url>,
    },
    /// The request will be tried again.
    Retrying {
        /// Which try failed, from 1.
        attempt: u16,
        /// What made the retry worth it.
        cause: Cause,
        /// How long it waits before it queues again.
        delay: Duration,
        /// How many tries the policy allows.
        of: u16,
        /// What the delay comes from.
        why: Pace,
    },
    /// An attempt begins.
    Started {
        /// Which attempt.
        attempt: u16,
        /// How long it waited for a slot.
        queued: Duration,
        /// Its target.
        url: Arc<Url>,
    },
}

/// What went wrong with an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Cause {
    /// The transport failed.
    Failure(Failure),
    /// The status is one to retry.
    Status(u16),
    /// A limit on time was reached.
    Timeout(Limit),
}

/// What the delay before a retry comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Pace {
    /// The policy's backoff.
    Backoff,
    /// Nothing: a connection that was found closed costs neither a try nor a wait.
    Free,
    /// This machine's own want of file descriptors or ports, which costs no try.
    Pressure,
    /// The server's `Retry-After`.
    RetryAfter,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { attempt, status } => write!(f, "attempt {attempt}: status {status}"),
            Self::GaveUp { cause, why } => write!(f, "no retry after {cause}: {why}"),
            Self::HostPaused { host, pause } => {
                write!(f, "{host} rests for {pause:?}: its server sent Retry-After")
            }
            Self::Pressure { concurrency } => {
                write!(
                    f,
                    "at most {concurrency} at once: out of file descriptors or ports"
                )
            }
            Self::Redirecting {
                credentials_dropped,
                status,
                ..
            } => {
                let secrets = if *credentials_dropped {
                    ", credentials dropped"
                } else {
                    ""
                };
                write!(f, "status {status} leads elsewhere{secrets}")
            }
            Self::Retrying {
                attempt,
                cause,
                delay,
                of,
                why,
            } => {
                write!(
                    f,
                    "retry in {delay:?} ({why}): {cause}, attempt {attempt} of {of}"
                )
            }
            Self::Started {
                attempt, queued, ..
            } => {
                write!(f, "attempt {attempt} starts after {queued:?} in the queue")
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(failure) => write!(f, "{failure}"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Timeout(limit) => write!(f, "{limit} timeout"),
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backoff => "backoff",
            Self::Free => "free",
            Self::Pressure => "pressure",
            Self::RetryAfter => "Retry-After",
        })
    }
}
