//! Why each decision was taken, as values a caller may log.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use url::Url;

use crate::model::failure::FailureCause;
use crate::model::fault::InjectedFault;
use crate::model::id::FetchId;
use crate::model::outcome::GiveUpReason;
use crate::model::time::Timestamp;

/// A decision and its reason. Display gives one line.
///
/// Off by default; see [`Config::events`](crate::Config::events) and
/// [`Fetch::with_events`](crate::Fetch::with_events).
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum DecisionEvent {
    /// An attempt is dropped, because another one's head came first.
    Abandoned {
        /// Which attempt.
        attempt: u16,
        /// The one that was faster.
        winner: u16,
    },
    /// A response's head came.
    HeadReceived {
        /// Which attempt.
        attempt: u16,
        /// Its status.
        status: u16,
    },
    /// The host's breaker opened or closed.
    CircuitChanged {
        /// Scheme, host and port.
        host: Box<str>,
        /// What it did, and why.
        transition: Transition,
    },
    /// The fetch turns to its fallback's URL.
    FallbackStarted {
        /// The new target.
        to: Arc<Url>,
    },
    /// There will be no further retry.
    GaveUp {
        /// What would have been worth one.
        cause: FailureCause,
        /// Why there is none.
        why: GiveUpReason,
    },
    /// The host's limit was found to be another.
    HostLimitChanged {
        /// Scheme, host and port.
        host: Box<str>,
        /// How many attempts at once it bears.
        limit: usize,
    },
    /// The host rests because its server asked to.
    HostPaused {
        /// Scheme, host and port.
        host: Box<str>,
        /// For how long.
        pause: Duration,
    },
    /// A fault is made on purpose.
    FaultInjected {
        /// In which attempt.
        attempt: u16,
        /// Which.
        fault: InjectedFault,
    },
    /// Fewer attempts run at once because the machine ran out of file descriptors or ports.
    ResourcesExhausted {
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
        cause: FailureCause,
        /// How long it waits before it queues again.
        delay: Duration,
        /// How many tries the policy allows.
        of: u16,
        /// What the delay comes from.
        why: RetryDelaySource,
    },
    /// The fetch waits for the response to the same request of another.
    ResponseShared {
        /// The other.
        with: FetchId,
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
    /// The host is spared a request for a while, since it refuses so many.
    HostThrottled {
        /// Scheme, host and port.
        host: Box<str>,
        /// For how long.
        rest: Duration,
    },
}

/// What the delay before a retry comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum RetryDelaySource {
    /// The policy's backoff.
    Backoff,
    /// Nothing: a connection that was found closed costs neither a try nor a wait.
    Free,
    /// This machine's own want of file descriptors or ports, which costs no try.
    ResourcesExhausted,
    /// The policy's backoff, but without the cost of a try: the attempt was the breaker's probe.
    Probe,
    /// The server's `Retry-After`.
    RetryAfter,
}

impl fmt::Display for DecisionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abandoned { attempt, winner } => {
                write!(
                    f,
                    "attempt {attempt} is dropped: attempt {winner} was faster"
                )
            }
            Self::HeadReceived { attempt, status } => {
                write!(f, "attempt {attempt}: status {status}")
            }
            Self::CircuitChanged { host, transition } => match transition {
                Transition::Closed => write!(f, "{host}: the breaker closes, it is well again"),
                Transition::Opened { trip, until } => {
                    write!(f, "{host}: the breaker opens until {until}: {trip}")
                }
            },
            Self::FallbackStarted { .. } => f.write_str("turns to the fallback's URL"),
            Self::GaveUp { cause, why } => write!(f, "no retry after {cause}: {why}"),
            Self::HostLimitChanged { host, limit } => {
                write!(f, "{host}: at most {limit} at once from now on")
            }
            Self::HostPaused { host, pause } => {
                write!(f, "{host} rests for {pause:?}: its server sent Retry-After")
            }
            Self::FaultInjected { attempt, fault } => {
                write!(f, "attempt {attempt} gets a fault on purpose: {fault}")
            }
            Self::ResourcesExhausted { concurrency } => {
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
            Self::ResponseShared { with } => write!(f, "waits for the response to fetch {with}"),
            Self::Started {
                attempt, queued, ..
            } => {
                write!(f, "attempt {attempt} starts after {queued:?} in the queue")
            }
            Self::HostThrottled { host, rest } => {
                write!(
                    f,
                    "{host} is spared requests for {rest:?}: it refuses so many"
                )
            }
        }
    }
}

impl fmt::Display for RetryDelaySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backoff => "backoff",
            Self::Free => "free",
            Self::ResourcesExhausted => "pressure",
            Self::Probe => "probe",
            Self::RetryAfter => "Retry-After",
        })
    }
}

/// State change caused by a result.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Transition {
    /// Enough probes succeeded: all calls are admitted, and the counts are reset.
    Closed,
    /// No call is admitted.
    Opened {
        /// Why it opened.
        trip: Trip,
        /// When the first probe may start.
        until: Timestamp,
    },
}

/// Why a circuit opened.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Trip {
    /// [`Breaker::consecutive`](crate::Breaker::consecutive) failures in a row.
    Consecutive,
    /// The [`Breaker::failure_ratio`](crate::Breaker::failure_ratio) was reached.
    FailureRatio,
    /// Too many probes failed ([`Breaker::probes`](crate::Breaker::probes)).
    Probes,
    /// The ratio of slow calls was reached ([`Breaker::slow`](crate::Breaker::slow)).
    SlowRatio,
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Consecutive => "failures in a row",
            Self::FailureRatio => "too many failures",
            Self::Probes => "probes failed",
            Self::SlowRatio => "too many slow calls",
        })
    }
}
