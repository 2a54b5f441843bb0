//! Decisions and their reasons, as values that a caller may log.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use url::Url;

use crate::model::failure::FailureCause;
use crate::model::fault::InjectedFault;
use crate::model::id::FetchId;
use crate::model::outcome::GiveUpReason;
use crate::model::text::{ShortDuration, plural};
use crate::model::time::Timestamp;
use crate::model::token::TokenFailure;

/// A decision and its reason. `Display` gives one line.
///
/// Not reported by default: see [`EngineConfig::events`](crate::EngineConfig::events) and
/// [`Fetch::with_events`](crate::Fetch::with_events).
///
/// ```
/// # use fetch_proto::testing::{FetchScript, status};
/// use fetch_proto::{Backoff, Policy};
///
/// let policy = Policy::default().attempts(2).backoff(Backoff::default().jitter(None));
/// let run = FetchScript::new(policy).answers([status(503), status(200)]).run();
/// let log: Vec<_> = run.events().iter().map(ToString::to_string).collect();
/// assert!(log.contains(&"retry in 1 s (backoff): status 503, attempt 1 of 2".to_owned()));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum DecisionEvent {
    /// An attempt is aborted because a racing attempt received its head first.
    Abandoned {
        /// The number of the attempt.
        attempt: u16,
        /// The number of the attempt that was faster.
        winner: u16,
    },
    /// A response head arrived.
    HeadReceived {
        /// The number of the attempt.
        attempt: u16,
        /// The status code.
        status: u16,
    },
    /// The circuit breaker of a host opened or closed.
    CircuitChanged {
        /// Scheme, host and port.
        host: Box<str>,
        /// The new state, and why.
        transition: CircuitTransition,
    },
    /// The fetch continues with its fallback URL.
    FallbackStarted {
        /// The new URL.
        to: Arc<Url>,
    },
    /// A failure is not retried.
    GaveUp {
        /// The failure.
        cause: FailureCause,
        /// Why it is not retried.
        why: GiveUpReason,
    },
    /// The adaptive concurrency limit of a host changed.
    HostLimitChanged {
        /// Scheme, host and port.
        host: Box<str>,
        /// The largest number of concurrent attempts.
        limit: usize,
    },
    /// A host is down. Its fetches wait until a probe succeeds, or until it is given up. Reported
    /// even if events are not enabled.
    HostDown {
        /// The latest failure.
        cause: FailureCause,
        /// When it is given up.
        gives_up_at: Timestamp,
        /// Scheme, host and port.
        host: Box<str>,
        /// The fetches that wait.
        waiting: usize,
    },
    /// A host is down and is not waited for any longer. Reported even if events are not enabled.
    HostGivenUp {
        /// The latest failure.
        cause: FailureCause,
        /// How long it has been down.
        down_for: Duration,
        /// The fetches that end because of it.
        ended: usize,
        /// Scheme, host and port.
        host: Box<str>,
    },
    /// A host that was down is back. Reported even if events are not enabled.
    HostRecovered {
        /// How long it was down.
        down_for: Duration,
        /// Scheme, host and port.
        host: Box<str>,
    },
    /// A host is paused because its server asked for it. A pause of at least
    /// [`LONG_PAUSE`](Self::LONG_PAUSE) is reported even if events are not enabled; one that is
    /// extended by less than a second is not reported again.
    HostPaused {
        /// Scheme, host and port.
        host: Box<str>,
        /// For how long.
        pause: Duration,
    },
    /// The starts at a host are spaced because it refuses requests that come too fast:
    /// [`Pacing`](crate::Pacing). The interval changes afterwards. Reported even if events are not
    /// enabled.
    PacingStarted {
        /// Scheme, host and port.
        host: Box<str>,
        /// The first interval between two starts.
        interval: Duration,
    },
    /// The starts at a host are no longer spaced, because it accepts all requests. Reported even if
    /// events are not enabled.
    PacingEnded {
        /// Scheme, host and port.
        host: Box<str>,
    },
    /// A fault is injected.
    FaultInjected {
        /// The number of the attempt.
        attempt: u16,
        /// The fault.
        fault: InjectedFault,
    },
    /// The concurrency is reduced because this machine is out of file descriptors or ports.
    ResourcesExhausted {
        /// The new largest number of concurrent attempts.
        concurrency: usize,
    },
    /// A redirect is followed.
    Redirecting {
        /// Whether credentials are dropped because the origin changes.
        credentials_dropped: bool,
        /// The status code of the redirect.
        status: u16,
        /// The new URL.
        to: Arc<Url>,
    },
    /// The rest of a body cannot be had: the body is received from its beginning.
    Restarting {
        /// The number of the attempt that asked for the rest.
        attempt: u16,
        /// The status code of its response.
        status: u16,
    },
    /// An attempt asks for the rest of a body.
    Resuming {
        /// The number of the attempt.
        attempt: u16,
        /// The position from which the body is missing, in bytes.
        offset: u64,
    },
    /// The request is retried after a delay.
    Retrying {
        /// Which attempt failed, from 1; redirects and free retries are not counted.
        attempt: u16,
        /// The failure.
        cause: FailureCause,
        /// The delay before the fetch is queued again.
        delay: Duration,
        /// The largest number of attempts that the policy allows.
        of: u16,
        /// What determines the delay.
        why: RetryDelaySource,
    },
    /// The fetch waits for the response to the equal request of another fetch.
    ResponseShared {
        /// The other fetch.
        with: FetchId,
    },
    /// An attempt starts.
    Started {
        /// The number of the attempt.
        attempt: u16,
        /// How long it waited for a slot.
        queued: Duration,
        /// The URL.
        url: Arc<Url>,
    },
    /// A token was acquired.
    TokenAcquired {
        /// Its generation, from 1.
        generation: u32,
        /// How long it lives, if the token server says so.
        lifetime: Option<Duration>,
        /// The name of the [profile](crate::AuthProfile).
        profile: Box<str>,
    },
    /// A token could not be acquired, or the servers refuse each new one. Reported even if events are
    /// not enabled.
    TokenFailed {
        /// Why.
        failure: TokenFailure,
        /// The name of the [profile](crate::AuthProfile).
        profile: Box<str>,
    },
    /// Requests to a host are delayed because it rejects too many: [`Throttle`](crate::Throttle).
    HostThrottled {
        /// Scheme, host and port.
        host: Box<str>,
        /// For how long.
        rest: Duration,
    },
}

/// What determines the delay before a retry.
///
/// ```
/// assert_eq!(fetch_proto::RetryDelaySource::RetryAfter.to_string(), "Retry-After");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum RetryDelaySource {
    /// The policy's backoff.
    Backoff,
    /// No delay: the server asked for a login by 401, or for one with another nonce, and it is sent. Does
    /// not count as an attempt.
    Challenge,
    /// No delay: the pooled connection was closed, or the attempt was lost at a
    /// [restart](crate::Engine::restore). Does not count as an attempt.
    Free,
    /// No delay: the server did not process the request
    /// ([`FailureKind::Unprocessed`](crate::FailureKind::Unprocessed)). Does not count as an attempt.
    NotProcessed,
    /// This machine is out of file descriptors or ports. Does not count as an attempt.
    ResourcesExhausted,
    /// The policy's backoff, or `Retry-After`, after a failed circuit breaker probe. Does not count
    /// as an attempt.
    Probe,
    /// The policy's first backoff, after an attempt that brought a part of the body: the next one
    /// continues there. The attempts are counted from one again.
    Progress,
    /// The server's `Retry-After`.
    RetryAfter,
    /// The pace of a host that refuses requests because of their rate: [`Pacing`](crate::Pacing).
    /// Does not count as an attempt.
    Throttled,
    /// No delay: the server refused the token by 401, and another one is there or is acquired. Does not
    /// count as an attempt.
    TokenRefused,
}

impl DecisionEvent {
    /// How long a [pause](Self::HostPaused) has to be to be reported even if events are not enabled.
    ///
    /// ```
    /// assert_eq!(fetch_proto::DecisionEvent::LONG_PAUSE.as_secs(), 10);
    /// ```
    pub const LONG_PAUSE: Duration = Duration::from_secs(10);
}

impl fmt::Display for DecisionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abandoned { attempt, winner } => {
                write!(
                    f,
                    "attempt {attempt} aborted: attempt {winner} answered first"
                )
            }
            Self::HeadReceived { attempt, status } => {
                write!(f, "attempt {attempt}: status {status}")
            }
            Self::CircuitChanged { host, transition } => match transition {
                CircuitTransition::Closed => write!(f, "{host}: circuit breaker closed"),
                CircuitTransition::Opened { trip, until } => {
                    let until = ShortDuration(until.since_start());
                    write!(
                        f,
                        "{host}: circuit breaker open until {until} after the start: {trip}"
                    )
                }
            },
            Self::FallbackStarted { .. } => f.write_str("continuing with the fallback URL"),
            Self::GaveUp { cause, why } => write!(f, "no retry after {cause}: {why}"),
            Self::HostLimitChanged { host, limit } => {
                write!(f, "{host}: concurrency limit is now {limit}")
            }
            Self::HostDown {
                cause,
                gives_up_at,
                host,
                waiting,
            } => {
                let fetches = plural(*waiting as u64, "fetch waits", "fetches wait");
                let until = ShortDuration(gives_up_at.since_start());
                write!(
                    f,
                    "{host} is down: {cause}; {fetches} until {until} after the start at most"
                )
            }
            Self::HostGivenUp {
                cause,
                down_for,
                ended,
                host,
            } => {
                let down_for = ShortDuration(*down_for);
                let fetches = plural(*ended as u64, "fetch", "fetches");
                write!(
                    f,
                    "{host} has been down for {down_for} and is given up: {cause}; {fetches} failed"
                )
            }
            Self::HostRecovered { down_for, host } => {
                write!(f, "{host} is back after {}", ShortDuration(*down_for))
            }
            Self::HostPaused { host, pause } => {
                write!(
                    f,
                    "{host}: paused for {} at the request of the server",
                    ShortDuration(*pause)
                )
            }
            Self::PacingStarted { host, interval } => {
                write!(
                    f,
                    "{host}: limits the rate of requests: one every {} at first",
                    ShortDuration(*interval)
                )
            }
            Self::PacingEnded { host } => {
                write!(f, "{host}: no longer limits the rate of requests")
            }
            Self::FaultInjected { attempt, fault } => {
                write!(f, "attempt {attempt}: injected fault: {fault}")
            }
            Self::ResourcesExhausted { concurrency } => {
                write!(
                    f,
                    "concurrency limit is now {concurrency}: out of file descriptors or ports"
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
                write!(f, "status {status}: redirected{secrets}")
            }
            Self::Restarting { attempt, status } => {
                write!(
                    f,
                    "attempt {attempt}: status {status}: the body starts over"
                )
            }
            Self::Resuming { attempt, offset } => {
                write!(f, "attempt {attempt} continues the body at byte {offset}")
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
                    "retry in {} ({why}): {cause}, attempt {attempt} of {of}",
                    ShortDuration(*delay)
                )
            }
            Self::ResponseShared { with } => write!(f, "waiting for the response to fetch {with}"),
            Self::Started {
                attempt, queued, ..
            } => {
                let queued = ShortDuration(*queued);
                write!(f, "attempt {attempt} starts after {queued} in the queue")
            }
            Self::TokenAcquired {
                generation,
                lifetime,
                profile,
            } => {
                write!(f, "{profile}: token {generation} acquired")?;
                match lifetime {
                    Some(lifetime) => write!(f, ", valid for {} s", lifetime.as_secs()),
                    None => Ok(()),
                }
            }
            Self::TokenFailed { failure, profile } => {
                write!(f, "{profile}: no token: {failure}")
            }
            Self::HostThrottled { host, rest } => {
                write!(
                    f,
                    "{host}: throttled for {}: too many requests rejected",
                    ShortDuration(*rest)
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
            Self::NotProcessed => "not processed",
            Self::ResourcesExhausted => "out of descriptors",
            Self::Probe => "probe",
            Self::Progress => "progress",
            Self::RetryAfter => "Retry-After",
            Self::Throttled => "throttled",
            Self::TokenRefused => "token refused",
            Self::Challenge => "login asked for",
        })
    }
}

/// State change caused by a result.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CircuitTransition {
    /// Enough probes succeeded: all calls are admitted, and the counts are reset.
    Closed,
    /// No call is admitted.
    Opened {
        /// Why it opened.
        trip: TripReason,
        /// When the first probe may start.
        until: Timestamp,
    },
}

/// Why a circuit opened.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TripReason {
    /// [`Breaker::consecutive`](crate::Breaker::consecutive) failures in a row.
    Consecutive,
    /// The [`Breaker::failure_ratio`](crate::Breaker::failure_ratio) was reached.
    FailureRatio,
    /// Too many probes failed ([`Breaker::probes`](crate::Breaker::probes)).
    Probes,
    /// The ratio of slow calls was reached ([`Breaker::slow`](crate::Breaker::slow)).
    SlowRatio,
}

impl fmt::Display for TripReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Consecutive => "failures in a row",
            Self::FailureRatio => "too many failures",
            Self::Probes => "probes failed",
            Self::SlowRatio => "too many slow calls",
        })
    }
}
