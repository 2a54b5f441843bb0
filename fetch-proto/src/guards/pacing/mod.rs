//! Pacing: a host that refuses requests because they come too fast gets as many as it accepts.

mod search;
#[cfg(test)]
mod tests;

use core::time::Duration;

use self::search::PaceSearch;
use crate::guards::rolling_window::RollingWindow;
use crate::model::time::Timestamp;

/// How long a host counts as answering normally after it has answered with another status than 429,
/// 502, 503 and 504. A 503 within this time limits the rate; later it is an outage.
const NORMAL_FOR: Duration = Duration::from_secs(2);
/// Over which time accepted requests are counted.
const RECENT: Duration = Duration::from_secs(2);
/// A host is paced from this number of refusals on.
const MIN_THROTTLED: u8 = 3;
/// For a host that has accepted nothing yet it is higher, so that a single URL uses up its attempts.
const MIN_THROTTLED_UNKNOWN: u8 = 4;
/// Pacing ends so long after the latest refusal, if it does not limit the rate.
const CALM: Duration = Duration::from_secs(30);

/// Configuration of a [`HostPacer`].
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{EngineConfig, Pacing};
///
/// let config = EngineConfig::default().pacing(Pacing::default().max_wait(Duration::from_secs(60)));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Pacing {
    max_wait: Duration,
}

impl Pacing {
    /// A host that accepts nothing is waited for up to five minutes.
    pub const DEFAULT: Self = Self {
        max_wait: Duration::from_secs(300),
    };

    /// Sets how long a host that refuses every request is waited for, from the latest request that it
    /// accepted. After that, a refusal counts as an attempt again. Default five minutes.
    ///
    /// ```
    /// use core::time::Duration;
    /// let pacing = fetch_proto::Pacing::default().max_wait(Duration::from_secs(60));
    /// ```
    #[must_use]
    pub const fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }
}

impl Default for Pacing {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Whether a status limits the rate: 429, or 503 from a host that also answers normally. Any other
/// 503 is an outage. `normal_at` is when the host last [answered normally](is_normal_answer).
pub(crate) fn is_rate_limit(status: u16, normal_at: Option<Timestamp>, now: Timestamp) -> bool {
    match status {
        429 => true,
        503 => normal_at.is_some_and(|at| now.saturating_since(at) <= NORMAL_FOR),
        _ => false,
    }
}

/// Whether a response with this status shows that the host is neither down nor limits the rate.
pub(crate) const fn is_normal_answer(status: u16) -> bool {
    !matches!(status, 429 | 502..=504)
}

/// Why a request of a paced host was refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) enum Refusal {
    /// The host accepts other requests.
    Single,
    /// The host accepts no request now.
    All,
}

/// Learns how many requests per second a host accepts, and spaces the starts of attempts accordingly.
///
/// It is inactive until the host refuses several requests with 429, or with 503 while it also answers
/// normally. Then it searches for the largest rate with few refusals and stays just below it. The
/// learned rate follows when the limit falls or rises. It suits leaky buckets (nginx `limit_req`),
/// token buckets and fixed windows.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{HostPacer, Pacing, Timestamp};
///
/// let mut pacer = HostPacer::new(Pacing::default());
/// let now = Timestamp::START;
/// pacer.record_status(200, now, None, now);
/// assert_eq!(pacer.interval(), None);
/// (0..3).for_each(|_| pacer.record_status(429, now, None, now));
/// assert!(pacer.interval() <= Some(Duration::from_millis(100)));
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct HostPacer {
    config: Pacing,
    accepts: RollingWindow<u32>,
    /// The latest normal answer.
    accepted_at: Option<Timestamp>,
    /// Answers and refusals of late, halved at 16 answers.
    answers: u8,
    throttles: u8,
    first_answer: Option<Timestamp>,
    /// The first refusal since the latest normal answer.
    refused_since: Option<Timestamp>,
    throttled_at: Timestamp,
    search: Option<PaceSearch>,
}

impl HostPacer {
    /// An inactive pacer.
    ///
    /// ```
    /// use fetch_proto::{HostPacer, Pacing};
    /// assert_eq!(HostPacer::new(Pacing::default()).next_start(), None);
    /// ```
    #[must_use]
    pub fn new(config: Pacing) -> Self {
        Self {
            config,
            accepts: RollingWindow::new(RECENT),
            accepted_at: None,
            answers: 0,
            throttles: 0,
            first_answer: None,
            refused_since: None,
            throttled_at: Timestamp::START,
            search: None,
        }
    }

    /// Changes the configuration and keeps what was learned.
    ///
    /// ```
    /// # use fetch_proto::{HostPacer, Pacing};
    /// let mut pacer = HostPacer::new(Pacing::default());
    /// pacer.set_config(Pacing::default());
    /// ```
    pub const fn set_config(&mut self, config: Pacing) {
        self.config = config;
    }

    /// Records that an attempt starts at `now`.
    ///
    /// ```
    /// # use fetch_proto::{HostPacer, Pacing, Timestamp};
    /// let mut pacer = HostPacer::new(Pacing::default());
    /// pacer.record_start(Timestamp::START);
    /// ```
    pub fn record_start(&mut self, now: Timestamp) {
        if let Some(search) = &mut self.search {
            search.record_start(now);
        }
    }

    /// Records the status of a response to a request that was sent at `sent`. `retry_after` is the
    /// pause that the host asks for.
    ///
    /// ```
    /// # use fetch_proto::{HostPacer, Pacing, Timestamp};
    /// let mut pacer = HostPacer::new(Pacing::default());
    /// pacer.record_status(200, Timestamp::START, None, Timestamp::START);
    /// ```
    pub fn record_status(
        &mut self,
        status: u16,
        sent: Timestamp,
        retry_after: Option<Duration>,
        now: Timestamp,
    ) {
        if is_normal_answer(status) {
            self.record_accept(sent, now);
        } else if self.is_throttle(status, now) {
            self.record_throttle(sent, retry_after.unwrap_or_default(), now);
        }
    }

    /// Whether a response with this status refuses a request because of the rate.
    pub(crate) fn is_throttle(&self, status: u16, now: Timestamp) -> bool {
        // A slow pace must not turn a refusal into an outage.
        let slow = self.interval().map(|interval| interval * 4);
        is_rate_limit(status, self.accepted_at, now)
            || status == 503
                && self
                    .accepted_at
                    .zip(slow)
                    .is_some_and(|(at, slow)| now.saturating_since(at) <= slow)
    }

    /// Why a response with this status was refused; `None` if the host is not paced, or has accepted
    /// nothing for too long.
    pub(crate) fn refusal(&self, status: u16, now: Timestamp) -> Option<Refusal> {
        self.search.as_ref()?;
        if !self.is_throttle(status, now) {
            return None;
        }
        let waited = self.refused_since.map(|at| now.saturating_since(at));
        if waited.is_some_and(|waited| waited >= self.config.max_wait) {
            return None;
        }
        let accepts = self
            .accepted_at
            .is_some_and(|at| now.saturating_since(at) <= NORMAL_FOR);
        Some(if accepts { Refusal::Single } else { Refusal::All })
    }

    fn record_accept(&mut self, sent: Timestamp, now: Timestamp) {
        self.accepted_at = Some(now);
        self.refused_since = None;
        self.first_answer.get_or_insert(now);
        *self.accepts.slot_mut(now) += 1;
        self.count_answer(false);
        if let Some(search) = &mut self.search
            && search.record_accept(sent, now)
            && now.saturating_since(self.throttled_at) >= CALM
        {
            self.search = None;
        }
    }

    fn record_throttle(&mut self, sent: Timestamp, pause: Duration, now: Timestamp) {
        self.throttled_at = now;
        self.refused_since.get_or_insert(now);
        self.first_answer.get_or_insert(now);
        self.count_answer(true);
        let recent = self.recent_rate(now);
        if let Some(search) = &mut self.search {
            return search.record_throttle(sent, recent, pause, now);
        }
        let least = match self.accepted_at {
            Some(_) => MIN_THROTTLED,
            None => MIN_THROTTLED_UNKNOWN,
        };
        if self.throttles >= least && self.throttles > self.answers / 8 {
            self.search = Some(PaceSearch::new(recent, pause, now));
        }
    }

    fn count_answer(&mut self, is_throttle: bool) {
        if self.answers >= 16 {
            self.answers /= 2;
            self.throttles /= 2;
        }
        self.answers += 1;
        self.throttles += u8::from(is_throttle);
    }

    /// How many requests per second it accepted recently, over at least a second.
    fn recent_rate(&self, now: Timestamp) -> u64 {
        let known = self.first_answer.map(|at| now.saturating_since(at));
        let over = known.unwrap_or_default().clamp(RECENT / 2, RECENT);
        let accepts = u64::from(self.accepts.sum(now));
        accepts * 1000 / (over.as_millis() as u64).max(1)
    }

    /// When the next attempt may start; `None` if the host is not paced.
    ///
    /// ```
    /// # use fetch_proto::{HostPacer, Pacing};
    /// assert_eq!(HostPacer::new(Pacing::default()).next_start(), None);
    /// ```
    #[must_use]
    pub fn next_start(&self) -> Option<Timestamp> {
        self.search.as_ref().map(PaceSearch::next_start)
    }

    /// The time between the starts of two attempts; `None` if the host is not paced.
    ///
    /// ```
    /// # use fetch_proto::{HostPacer, Pacing};
    /// assert_eq!(HostPacer::new(Pacing::default()).interval(), None);
    /// ```
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.search.as_ref().map(PaceSearch::interval)
    }

    /// When nothing of what was learned matters any more, if nothing else happens.
    ///
    /// ```
    /// # use fetch_proto::{HostPacer, Pacing, Timestamp};
    /// assert_eq!(HostPacer::new(Pacing::default()).idle_at(), Timestamp::START);
    /// ```
    #[must_use]
    pub fn idle_at(&self) -> Timestamp {
        match self.search {
            Some(_) => self.throttled_at + CALM,
            None => Timestamp::START,
        }
    }
}
