//! The policy of a fetch: attempts, delays, limits, redirects.

mod auth_choice;
mod backoff;
mod chaos;
mod class;
mod fallback;
mod patch;
pub(crate) mod redirect;
mod smooth;
mod status;
mod timeouts;

use core::num::NonZeroU16;
use core::time::Duration;

use crate::guards::hedge::Hedge;
use crate::guards::rate::Rate;
use crate::guards::stall::StallGuard;
use crate::model::failure::FailureCause;

pub use crate::model::verdict::RetryClass;
pub use auth_choice::AuthChoice;
pub use backoff::{Backoff, Jitter};
pub use chaos::ChaosPolicy;
pub(crate) use chaos::injected_latency;
pub use class::RetryClasses;
pub use fallback::Fallback;
pub use patch::{
    BackoffPatch, FallbackPatch, HedgeDelayPatch, HedgePatch, KeptPostsPatch, PolicyPatch,
    RedirectPatch, RetryAfterPatch, StallPatch, TimeoutsPatch,
};
pub use redirect::{RedirectPolicy, is_sent_to_other_origins, location_text};
pub use status::StatusSet;
pub use timeouts::Timeouts;

/// How a fetch is executed. [`PolicyRules`](crate::PolicyRules) choose a policy by URL.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Backoff, Policy};
///
/// let policy = Policy::default()
///     .attempts(5)
///     .backoff(Backoff::default().base(Duration::from_millis(200)))
///     .attempt_timeout(Duration::from_secs(10));
/// assert_eq!(policy.timeouts.attempt, Some(Duration::from_secs(10)));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Policy {
    /// The largest number of attempts, including the first: [`attempts`](Self::attempts).
    pub attempts: NonZeroU16,
    /// Which profile authenticates the requests.
    pub auth: AuthChoice,
    /// The delay before each retry.
    pub backoff: Backoff,
    /// The faults that are injected.
    pub chaos: ChaosPolicy,
    /// Classes of single statuses and failures that differ from the built-in ones.
    pub classes: RetryClasses,
    /// How many bytes of an unneeded body are read: [`drain`](Self::drain).
    pub drain: u64,
    /// What is done if a fetch fails.
    pub fallback: Fallback,
    /// Whether and when a slow attempt is hedged.
    pub hedge: Option<Hedge>,
    /// The largest body, in bytes after decoding; `None` for the default, which depends on how the
    /// body is delivered: [`max_body`](Self::max_body).
    pub max_body: Option<u64>,
    /// The rate at which attempts with this policy start.
    pub rate: Option<Rate>,
    /// How redirects are followed.
    pub redirects: RedirectPolicy,
    /// How `Retry-After` is handled.
    pub retry_after: RetryAfterPolicy,
    /// Whether requests that are not idempotent are retried after they may have reached the server.
    pub retry_non_idempotent: bool,
    /// The statuses that are retried, unless [`classes`](field@Self::classes) has a class for them.
    pub retry_statuses: StatusSet,
    /// The minimum throughput of a body; `None` for the default, which depends on how the body is
    /// delivered: [`stall`](Self::stall).
    pub stall: Option<StallGuard>,
    /// The time limits.
    pub timeouts: Timeouts,
    /// The shortest useful time of an attempt: [`min_attempt_time`](Self::min_attempt_time).
    #[cfg_attr(feature = "serde", serde(rename = "useful"))]
    pub min_attempt_time: Duration,
}

impl Policy {
    /// Sets the largest number of attempts, including the first. Default 3; 0 counts as 1.
    /// Redirects and the free retry of a stale connection are not counted.
    ///
    /// ```
    /// let no_retry = fetch_proto::Policy::default().attempts(1);
    /// ```
    #[must_use]
    pub const fn attempts(mut self, attempts: u16) -> Self {
        self.attempts = match NonZeroU16::new(attempts) {
            Some(attempts) => attempts,
            None => NonZeroU16::MIN,
        };
        self
    }

    /// Sets which profile authenticates the requests. Default [`AuthChoice::ByScope`]. A profile is used
    /// only for URLs in its scope, whatever the policy says.
    ///
    /// ```
    /// use fetch_proto::{AuthChoice, Policy};
    /// let public = Policy::default().auth(AuthChoice::Off);
    /// ```
    #[must_use]
    pub fn auth(mut self, auth: AuthChoice) -> Self {
        self.auth = auth;
        self
    }

    /// Sets the delay before each retry. Default [`Backoff::DEFAULT`].
    ///
    /// ```
    /// use fetch_proto::{Backoff, Policy};
    /// let exact = Policy::default().backoff(Backoff::default().jitter(None));
    /// ```
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets which faults are injected, and how often. Default none.
    ///
    /// ```
    /// use fetch_proto::{ChaosPolicy, InjectedFault, Policy};
    /// let policy = Policy::default().chaos(ChaosPolicy::default().fault(1, InjectedFault::Reset));
    /// ```
    #[must_use]
    pub fn chaos(mut self, chaos: ChaosPolicy) -> Self {
        self.chaos = chaos;
        self
    }

    /// Overrides the classification of single statuses and failures. Default: no overrides.
    ///
    /// ```
    /// use fetch_proto::{RetryClass, RetryClasses, Policy};
    /// let policy = Policy::default().classes(RetryClasses::default().status(404, RetryClass::Transient));
    /// ```
    #[must_use]
    pub fn classes(mut self, classes: RetryClasses) -> Self {
        self.classes = classes;
        self
    }

    /// The class of a failure: set by [`classes`](Self::classes), or built in.
    ///
    /// ```
    /// use fetch_proto::{FailureCause, RetryClass, Policy};
    /// assert_eq!(Policy::default().class(FailureCause::Status(503)), RetryClass::Throttled);
    /// ```
    #[must_use]
    pub fn class(&self, cause: FailureCause) -> RetryClass {
        self.classes.classify(cause, &self.retry_statuses)
    }

    /// Sets how many bytes of an unneeded body (of a redirect, or of a response that is retried)
    /// are read so that its connection can be reused. Default 64 KiB. A longer body closes the
    /// connection.
    ///
    /// ```
    /// let policy = fetch_proto::Policy::default().drain(0);
    /// ```
    #[must_use]
    pub const fn drain(mut self, bytes: u64) -> Self {
        self.drain = bytes;
        self
    }

    /// Sets the fallback of a failed fetch. Default none.
    ///
    /// ```
    /// use fetch_proto::{Fallback, Policy};
    /// let policy = Policy::default().fallback(Fallback::to("http://mirror.test/".parse()?));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn fallback(mut self, fallback: Fallback) -> Self {
        self.fallback = fallback;
        self
    }

    /// Sets whether and when a slow attempt is hedged. Default never. Only repeatable requests are
    /// hedged; a hedge needs a free slot and is charged to the retry budget.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{Hedge, Policy};
    /// let policy = Policy::default().hedge(Hedge::default());
    /// ```
    #[must_use]
    pub fn hedge(mut self, hedge: impl Into<Option<Hedge>>) -> Self {
        self.hedge = hedge.into();
        self
    }

    /// Sets the largest body, in bytes after decoding. Default: 64 MiB, and unlimited for a body that
    /// is saved or streamed. A larger body ends the fetch with
    /// [`FetchError::BodyTooLarge`](crate::FetchError::BodyTooLarge).
    ///
    /// ```
    /// let policy = fetch_proto::Policy::default().max_body(1 << 20);
    /// ```
    #[must_use]
    pub const fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// Sets the rate at which attempts with this policy start, over all hosts. Default: unlimited.
    /// Each rule has a separate rate, which applies to the fetches that the rule matches.
    ///
    /// ```
    /// let policy = fetch_proto::Policy::default().rate("10/s".parse::<fetch_proto::Rate>()?);
    /// # Ok::<(), fetch_proto::RateError>(())
    /// ```
    #[must_use]
    pub fn rate(mut self, rate: impl Into<Option<Rate>>) -> Self {
        self.rate = rate.into();
        self
    }

    /// Sets how redirects are followed. Default: at most 10, never from https to http.
    ///
    /// ```
    /// use fetch_proto::{Policy, RedirectPolicy};
    /// let policy = Policy::default().redirects(RedirectPolicy::NONE);
    /// ```
    #[must_use]
    pub const fn redirects(mut self, redirects: RedirectPolicy) -> Self {
        self.redirects = redirects;
        self
    }

    /// Sets how `Retry-After` is handled. Default [`RetryAfterPolicy::DEFAULT`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{OverCap, Policy, RetryAfterPolicy};
    /// let patient = RetryAfterPolicy { cap: Duration::from_secs(600), over: OverCap::Defer };
    /// let policy = Policy::default().retry_after(patient);
    /// ```
    #[must_use]
    pub const fn retry_after(mut self, retry_after: RetryAfterPolicy) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Sets whether non-idempotent requests, such as POST, are retried after they may have reached
    /// the server. Default no.
    ///
    /// ```
    /// let policy = fetch_proto::Policy::default().retry_non_idempotent(true);
    /// ```
    #[must_use]
    pub const fn retry_non_idempotent(mut self, retry: bool) -> Self {
        self.retry_non_idempotent = retry;
        self
    }

    /// Sets which statuses are retried. Default [`StatusSet::RETRYABLE`].
    ///
    /// ```
    /// use fetch_proto::{Policy, StatusSet};
    /// let policy = Policy::default().retry_statuses(StatusSet::RETRYABLE.with(522));
    /// ```
    #[must_use]
    pub const fn retry_statuses(mut self, statuses: StatusSet) -> Self {
        self.retry_statuses = statuses;
        self
    }

    /// Sets the minimum throughput of a body, measured from its head; `None` requires none. Default:
    /// [`StallGuard::SAVED`] for a body that is saved, none for others. [`Timeouts::idle_read`]
    /// applies as well.
    ///
    /// ```
    /// use fetch_proto::{Policy, StallGuard};
    /// let policy = Policy::default().stall(StallGuard::default());
    /// ```
    #[must_use]
    pub fn stall(mut self, guard: impl Into<Option<StallGuard>>) -> Self {
        self.stall = Some(guard.into().unwrap_or(StallGuard::OFF));
        self
    }

    /// Sets the shortest useful time of an attempt: no retry starts with less time left before the
    /// total limit. Default 100 ms.
    ///
    /// ```
    /// use core::time::Duration;
    /// let policy = fetch_proto::Policy::default().min_attempt_time(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub const fn min_attempt_time(mut self, time: Duration) -> Self {
        self.min_attempt_time = time;
        self
    }

    /// Sets all time limits. Default [`Timeouts::DEFAULT`].
    ///
    /// ```
    /// use fetch_proto::{Policy, Timeouts};
    /// let policy = Policy::default().timeouts(Timeouts::NONE);
    /// ```
    #[must_use]
    pub const fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets the time limit of an attempt: see [`Timeouts::attempt`].
    ///
    /// ```
    /// use core::time::Duration;
    /// let policy = fetch_proto::Policy::default().attempt_timeout(Duration::from_secs(8));
    /// ```
    #[must_use]
    pub const fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.timeouts.attempt = Some(limit);
        self.timeouts.attempt_covers_body = true;
        self
    }

    /// The largest number of attempts.
    ///
    /// ```
    /// assert_eq!(fetch_proto::Policy::default().attempts_limit(), 3);
    /// ```
    #[must_use]
    pub const fn attempts_limit(&self) -> u16 {
        self.attempts.get()
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: const { NonZeroU16::new(3).unwrap() },
            auth: AuthChoice::ByScope,
            backoff: Backoff::DEFAULT,
            chaos: ChaosPolicy::default(),
            classes: RetryClasses::default(),
            drain: 64 << 10,
            fallback: Fallback::default(),
            hedge: None,
            max_body: None,
            rate: None,
            redirects: RedirectPolicy::limit(10),
            retry_after: RetryAfterPolicy::DEFAULT,
            retry_non_idempotent: false,
            retry_statuses: StatusSet::RETRYABLE,
            stall: None,
            timeouts: Timeouts::DEFAULT,
            min_attempt_time: Duration::from_millis(100),
        }
    }
}

/// How a `Retry-After` of the server is handled.
///
/// The wait is not shortened unless the caller chooses [`OverCap::Clamp`]. It also pauses the host,
/// at most for the cap unless [`OverCap::Defer`] is set, so that queued fetches are not rejected in
/// turn.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{OverCap, Policy, RetryAfterPolicy};
///
/// let patient = RetryAfterPolicy { cap: Duration::from_secs(600), over: OverCap::Clamp };
/// let policy = Policy::default().retry_after(patient);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RetryAfterPolicy {
    /// The longest wait that is accepted. Default 60 s.
    pub cap: Duration,
    /// What to do with a longer wait. Default [`OverCap::Fail`].
    pub over: OverCap,
}

impl RetryAfterPolicy {
    /// At most 60 s. A fetch that is asked to wait longer ends with the response it has.
    pub const DEFAULT: Self = Self {
        cap: Duration::from_secs(60),
        over: OverCap::Fail,
    };

    /// How long the host is paused if the server asks for `asked`. `max_wait` bounds a wait over the
    /// cap.
    pub(crate) fn pause(&self, asked: Duration, max_wait: Option<Duration>) -> Duration {
        match self.over {
            OverCap::Defer if max_wait.is_none_or(|max| asked <= max) => asked,
            OverCap::Clamp | OverCap::Defer | OverCap::Fail => asked.min(self.cap),
        }
    }
}

impl Default for RetryAfterPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What to do if a server asks for a longer wait than the cap.
///
/// ```
/// # use fetch_proto::testing::{FetchScript, status};
/// use core::time::Duration;
/// use fetch_proto::{GiveUpReason, OverCap, Policy, RetryAfterPolicy};
///
/// assert_eq!(RetryAfterPolicy::default().over, OverCap::Fail);
/// let hour = Duration::from_secs(3600);
/// let run = FetchScript::new(Policy::default()).answers([status(503).retry_after(hour)]).run();
/// assert_eq!(run.outcome().gave_up, Some(GiveUpReason::RetryAfterTooLong));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OverCap {
    /// Retry after the cap.
    Clamp,
    /// Wait as long as the server asks, if the total limit allows. If hosts that are down are waited
    /// for, the total limit does not run meanwhile, and a longer wait than
    /// [`OutageWait::max`](field@crate::OutageWait::max) is not accepted.
    Defer,
    /// Do not retry. The response is the result.
    Fail,
}
