//! What a fetch may do: attempts, waits, limits, redirects.

mod backoff;
pub(crate) mod redirect;
mod smooth;
mod status;
mod timeouts;

use core::num::NonZeroU16;
use core::time::Duration;

pub use backoff::{Backoff, Jitter};
pub use redirect::{RedirectError, Redirects};
pub use status::StatusSet;
pub use timeouts::{Limit, Timeouts};

/// How one fetch is carried out. [`Rules`](crate::Rules) choose one by URL.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Backoff, Policy};
///
/// let policy = Policy::default()
///     .attempts(5)
///     .backoff(Backoff::default().base(Duration::from_millis(200)))
///     .attempt_timeout(Duration::from_secs(10));
/// assert_eq!(policy.timeouts_ref().attempt, Some(Duration::from_secs(10)));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Policy {
    pub(crate) attempts: NonZeroU16,
    pub(crate) backoff: Backoff,
    pub(crate) drain: u64,
    pub(crate) max_body: u64,
    pub(crate) redirects: Redirects,
    pub(crate) retry_after: RetryAfter,
    pub(crate) retry_non_idempotent: bool,
    pub(crate) retry_statuses: StatusSet,
    pub(crate) timeouts: Timeouts,
}

impl Policy {
    /// Sets how often a request is tried at most, the first time included. Default 3; 0 counts as 1.
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

    /// Sets how long to wait before each retry. Default [`Backoff::DEFAULT`].
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

    /// Sets how many bytes of an unwanted body (a redirect's, or that of a response which is
    /// retried) are read so that its connection can be used again. Default 64 KiB. Past that the
    /// connection is closed.
    ///
    /// ```
    /// let policy = fetch_proto::Policy::default().drain(0);
    /// ```
    #[must_use]
    pub const fn drain(mut self, bytes: u64) -> Self {
        self.drain = bytes;
        self
    }

    /// Sets the largest body, in bytes after decoding. Default 64 MiB. A larger one ends the fetch
    /// with [`Error::BodyTooLarge`](crate::Error::BodyTooLarge).
    ///
    /// ```
    /// let policy = fetch_proto::Policy::default().max_body(1 << 20);
    /// ```
    #[must_use]
    pub const fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets how redirects are followed. Default: 10 at most, never from https to http.
    ///
    /// ```
    /// use fetch_proto::{Policy, Redirects};
    /// let policy = Policy::default().redirects(Redirects::NONE);
    /// ```
    #[must_use]
    pub const fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// Sets how a `Retry-After` field is obeyed. Default [`RetryAfter::DEFAULT`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{OverCap, Policy, RetryAfter};
    /// let patient = RetryAfter { cap: Duration::from_secs(600), over: OverCap::Defer };
    /// let policy = Policy::default().retry_after(patient);
    /// ```
    #[must_use]
    pub const fn retry_after(mut self, retry_after: RetryAfter) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Sets whether requests that may not be idempotent, such as POST, are retried even after they
    /// may have reached the server. Default no.
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

    /// Sets all limits on time. Default [`Timeouts::DEFAULT`].
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

    /// Sets the limit on one attempt's time: see [`Timeouts::attempt`].
    ///
    /// ```
    /// use core::time::Duration;
    /// let policy = fetch_proto::Policy::default().attempt_timeout(Duration::from_secs(8));
    /// ```
    #[must_use]
    pub const fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.timeouts.attempt = Some(limit);
        self
    }

    /// The limits on time.
    ///
    /// ```
    /// let policy = fetch_proto::Policy::default();
    /// assert_eq!(*policy.timeouts_ref(), fetch_proto::Timeouts::DEFAULT);
    /// ```
    #[must_use]
    pub const fn timeouts_ref(&self) -> &Timeouts {
        &self.timeouts
    }

    /// The limit on the body's size.
    ///
    /// ```
    /// assert_eq!(fetch_proto::Policy::default().max_body_bytes(), 64 << 20);
    /// ```
    #[must_use]
    pub const fn max_body_bytes(&self) -> u64 {
        self.max_body
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: const { NonZeroU16::new(3).unwrap() },
            backoff: Backoff::DEFAULT,
            drain: 64 << 10,
            max_body: 64 << 20,
            redirects: Redirects::limit(10),
            retry_after: RetryAfter::DEFAULT,
            retry_non_idempotent: false,
            retry_statuses: StatusSet::RETRYABLE,
            timeouts: Timeouts::DEFAULT,
        }
    }
}

/// How the wait that a server asks for with `Retry-After` is obeyed.
///
/// It is never shortened below what the server asked, unless the caller chooses [`OverCap::Clamp`];
/// it also pauses the server's whole host, so that queued fetches do not run into the same wall.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RetryAfter {
    /// The longest wait to obey. Default 60 s.
    pub cap: Duration,
    /// What to do with a longer one. Default [`OverCap::Fail`].
    pub over: OverCap,
}

impl RetryAfter {
    /// At most 60 s; a fetch told to wait longer ends with the response it has.
    pub const DEFAULT: Self = Self {
        cap: Duration::from_secs(60),
        over: OverCap::Fail,
    };

    /// How long the host rests after `asked`.
    pub(crate) fn pause(&self, asked: Duration) -> Duration {
        match self.over {
            OverCap::Defer => asked,
            OverCap::Clamp | OverCap::Fail => asked.min(self.cap),
        }
    }
}

impl Default for RetryAfter {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What to do when a server asks for a longer wait than the cap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OverCap {
    /// Wait for the cap, then try all the same.
    Clamp,
    /// Wait as long as asked, if the total limit allows.
    Defer,
    /// Do not retry: the response is the result.
    Fail,
}
