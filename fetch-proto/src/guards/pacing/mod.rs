//! Pacing: a host that refuses requests because they come too fast gets as many as it accepts.

mod search;
#[cfg(test)]
mod tests;

use core::time::Duration;

use self::search::PaceSearch;
use crate::guards::health::HostEvidence;
use crate::guards::rolling_window::RollingWindow;
use crate::model::time::Timestamp;

/// How long a host counts as answering normally after it has answered with another status than 429,
/// 502, 503 and 504.
const NORMAL_FOR: Duration = Duration::from_secs(2);
/// Over which time accepted requests are counted.
const RECENT: Duration = Duration::from_secs(2);
/// A host is paced from this number of fetches on whose first attempt it refused. A single URL that is
/// refused uses up its attempts instead.
const MIN_REFUSED: u8 = 3;
/// Pacing ends so long after the latest refusal, if it does not limit the rate.
const CALM: Duration = Duration::from_secs(30);

/// How hosts that limit the rate of requests are paced.
///
/// A host is paced once it refuses several requests with 429, or with 503 while it also answers
/// normally. The starts of attempts are then spaced by the largest rate that it accepts nearly
/// always, which follows when the limit falls or rises. It suits leaky buckets (nginx `limit_req`),
/// token buckets and fixed windows. A refused request is repeated, and does not use up an attempt.
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

/// A response of a host that may be paced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacedAnswer {
    /// Whether it is the response to the first attempt of a fetch.
    pub(crate) is_first: bool,
    /// The pause that the host asks for.
    pub(crate) retry_after: Option<Duration>,
    /// When the attempt started.
    pub(crate) sent: Timestamp,
    pub(crate) status: u16,
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
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct HostPacer {
    config: Pacing,
    accepts: RollingWindow<u32>,
    /// The latest normal answer.
    accepted_at: Option<Timestamp>,
    /// Answers of late, not counting refused retries, and how many of them are refusals. Both are
    /// halved at 16 answers.
    answers: u8,
    refusals: u8,
    first_answer: Option<Timestamp>,
    /// The first refusal since the latest normal answer.
    refused_since: Option<Timestamp>,
    refused_at: Timestamp,
    search: Option<PaceSearch>,
}

impl HostPacer {
    /// An inactive pacer.
    #[must_use]
    pub(crate) fn new(config: Pacing) -> Self {
        Self {
            config,
            accepts: RollingWindow::new(RECENT),
            accepted_at: None,
            answers: 0,
            refusals: 0,
            first_answer: None,
            refused_since: None,
            refused_at: Timestamp::START,
            search: None,
        }
    }

    /// Changes the configuration and keeps what was learned.
    pub(crate) const fn set_config(&mut self, config: Pacing) {
        self.config = config;
    }

    /// Records that an attempt starts at `now`.
    pub(crate) fn record_start(&mut self, now: Timestamp) {
        if let Some(search) = &mut self.search {
            search.record_start(now);
        }
    }

    /// Records a response.
    pub(crate) fn record(&mut self, answer: &PacedAnswer, now: Timestamp) {
        if HostEvidence::of_status(answer.status, now, None) == HostEvidence::Alive {
            self.record_accept(answer.sent, now);
        } else if matches!(answer.status, 429 | 503) {
            self.record_refusal(answer, now);
        }
    }

    /// Whether a response with this status refuses a request because of the rate.
    pub(crate) fn is_throttle(&self, status: u16, now: Timestamp) -> bool {
        // A slow pace must not turn a refusal into an outage.
        let slow = self.interval().map(|interval| interval * 4);
        let evidence = HostEvidence::of_status(status, now, self.accepted_at);
        evidence == HostEvidence::Throttled
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
        let accepts = self
            .accepted_at
            .is_some_and(|at| now.saturating_since(at) <= NORMAL_FOR);
        Some(if accepts {
            Refusal::Single
        } else {
            Refusal::All
        })
    }

    /// Whether the host has accepted nothing for too long.
    fn is_given_up(&self, now: Timestamp) -> bool {
        let refused = self.refused_since.map(|at| now.saturating_since(at));
        refused.is_some_and(|refused| refused >= self.config.max_wait)
    }

    fn record_accept(&mut self, sent: Timestamp, now: Timestamp) {
        let refused_since = self.refused_since.take();
        self.accepted_at = Some(now);
        self.first_answer.get_or_insert(now);
        *self.accepts.slot_mut(now) += 1;
        self.count_answer(false);
        if let Some(search) = &mut self.search {
            let is_free = search.record_accept(sent, now);
            if is_free && now.saturating_since(self.refused_at) >= CALM {
                self.search = None;
                (self.answers, self.refusals) = (0, 0);
            }
        } else if refused_since.is_some_and(|at| now.saturating_since(at) <= NORMAL_FOR) {
            // The 503s just before were no outage.
            self.start_search(Duration::ZERO, now);
        }
    }

    fn record_refusal(&mut self, answer: &PacedAnswer, now: Timestamp) {
        let pause = answer.retry_after.unwrap_or_default();
        self.refused_since.get_or_insert(now);
        self.first_answer.get_or_insert(now);
        if answer.is_first {
            self.count_answer(true);
        }
        if !self.is_throttle(answer.status, now) {
            return;
        }
        self.refused_at = now;
        if self.is_given_up(now) {
            self.search = None;
            return;
        }
        let recent = self.recent_rate(now);
        match &mut self.search {
            Some(search) => search.record_throttle(answer.sent, recent, pause, now),
            None => self.start_search(pause, now),
        }
    }

    /// Starts to pace the host if it has refused enough of the latest requests.
    fn start_search(&mut self, pause: Duration, now: Timestamp) {
        if self.refusals >= MIN_REFUSED && self.refusals > self.answers / 8 {
            self.search = Some(PaceSearch::new(self.recent_rate(now), pause, now));
        }
    }

    fn count_answer(&mut self, is_refusal: bool) {
        if self.answers >= 16 {
            self.answers /= 2;
            self.refusals /= 2;
        }
        self.answers += 1;
        self.refusals += u8::from(is_refusal);
    }

    /// How many requests per second it accepted recently, over at least a second.
    fn recent_rate(&self, now: Timestamp) -> u64 {
        let known = self.first_answer.map(|at| now.saturating_since(at));
        let over = known.unwrap_or_default().clamp(RECENT / 2, RECENT);
        let accepts = u64::from(self.accepts.sum(now));
        accepts * 1000 / (over.as_millis() as u64).max(1)
    }

    /// When the next attempt may start; `None` if the host is not paced.
    #[must_use]
    pub(crate) fn next_start(&self) -> Option<Timestamp> {
        self.search.as_ref().map(PaceSearch::next_start)
    }

    /// The time between the starts of two attempts; `None` if the host is not paced.
    #[must_use]
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.search.as_ref().map(PaceSearch::interval)
    }

    /// Since when the host is paced; `None` if it is not.
    #[must_use]
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.search.as_ref().map(PaceSearch::since)
    }

    /// When nothing of what was learned matters any more, if nothing else happens.
    #[must_use]
    pub(crate) fn idle_at(&self) -> Timestamp {
        match self.search {
            Some(_) => self.refused_at + CALM,
            None => Timestamp::START,
        }
    }
}
