//! When tokens are refreshed, and how failures are waited out.

use core::time::Duration;

use crate::policy::Backoff;

/// When a token is refreshed, and how failures of its server are waited out.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::TokenPolicy;
///
/// let policy = TokenPolicy::default();
/// let hour = Duration::from_secs(3600);
/// assert_eq!(policy.refresh_window(hour).1, Duration::from_secs(3300));
/// assert_eq!(policy.usable_part(hour), Duration::from_secs(3590));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct TokenPolicy {
    pub(super) backoff: Backoff,
    pub(super) is_fixed: bool,
    pub(super) max_failures: u16,
    pub(super) time_limit: Duration,
}

/// The longest time before a token's end at which it is refreshed.
const MAX_REFRESH_AHEAD: Duration = Duration::from_secs(300);
/// The longest time before a token's end from which on it is not sent: it might end on its way.
const MAX_MARGIN: Duration = Duration::from_secs(10);

impl TokenPolicy {
    /// Pauses of 1 s, 2 s, 4 s … at most 60 s after failed acquisitions. After 5 failures in a row,
    /// requests without a token fail until the pause is over. An acquisition fails after 30 s.
    pub const DEFAULT: Self = Self {
        backoff: Backoff::DEFAULT.cap(Duration::from_secs(60)),
        is_fixed: false,
        max_failures: 5,
        time_limit: Duration::from_secs(30),
    };

    /// Sets the pauses after failed acquisitions, and those between acquisitions that refused tokens
    /// cause.
    ///
    /// ```
    /// use fetch_proto::{Backoff, TokenPolicy};
    /// let exact = TokenPolicy::default().backoff(Backoff::default().jitter(None));
    /// ```
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Declares that an acquisition would bring the same token again, so that the refusal of one is the
    /// answer.
    ///
    /// ```
    /// let fixed = fetch_proto::TokenPolicy::default().fixed();
    /// ```
    #[must_use]
    pub const fn fixed(mut self) -> Self {
        self.is_fixed = true;
        self
    }

    /// Sets after how many failed acquisitions in a row requests fail rather than wait. Default 5.
    ///
    /// ```
    /// let impatient = fetch_proto::TokenPolicy::default().max_failures(1);
    /// ```
    #[must_use]
    pub const fn max_failures(mut self, failures: u16) -> Self {
        self.max_failures = failures;
        self
    }

    /// Sets how long an acquisition may take. Default 30 s.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let quick = fetch_proto::TokenPolicy::default().time_limit(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The times within a token's life, from its start, between which its refresh is drawn: it begins
    /// at 80 % of the life or 5 minutes before its end, whichever is later, and up to half of the rest
    /// earlier, so that processes do not refresh together.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let short = fetch_proto::TokenPolicy::default().refresh_window(Duration::from_secs(10));
    /// assert_eq!(short, (Duration::from_secs(7), Duration::from_secs(8)));
    /// ```
    #[must_use]
    pub fn refresh_window(&self, life: Duration) -> (Duration, Duration) {
        let rest = (life / 5).min(MAX_REFRESH_AHEAD);
        let latest = life - rest;
        (latest.saturating_sub(rest / 2), latest)
    }

    /// How long a token is sent, from its start: for 90 % of its life or until 10 s before its end,
    /// whichever is later.
    ///
    /// ```
    /// # use core::time::Duration;
    /// let short = fetch_proto::TokenPolicy::default().usable_part(Duration::from_secs(5));
    /// assert_eq!(short, Duration::from_millis(4500));
    /// ```
    #[must_use]
    pub fn usable_part(&self, life: Duration) -> Duration {
        life - (life / 10).min(MAX_MARGIN)
    }
}

impl Default for TokenPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}
