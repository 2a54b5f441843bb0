//! What the ends of attempts say about a host: it answers, it limits the rate, or it is down.

use core::time::Duration;

use crate::model::failure::{FailureCause, FailureKind, TimeLimit};
use crate::model::outcome::{AttemptEnd, AttemptReport};
use crate::model::time::Timestamp;

/// How many attempts in a row may fail to connect over two seconds before the host counts as down,
/// even if too few for [`Breaker::consecutive`](crate::Breaker::consecutive). Two URLs of three
/// attempts each reach it, a single URL does not.
const FAILURES_OF_SMALL_HOST: u32 = 5;

/// How long a host must not have answered before [`FAILURES_OF_SMALL_HOST`] failures suffice.
const SILENCE_OF_SMALL_HOST: Duration = Duration::from_secs(2);

/// What the end of an attempt says about the host. Breakers and the pacing of hosts use the same
/// judgement, so that an answer never counts for both.
///
/// | end of the attempt | judgement |
/// |---|---|
/// | any status but 429, 502, 503, 504; a TLS error; a response that is not valid HTTP | [`Alive`](Self::Alive) |
/// | connection refused, unreachable, or not established within the time limit | [`Outage`](Self::Outage) |
/// | connection reset or closed before the response; 502 or 504 | [`Outage`](Self::Outage), but [`Unknown`](Self::Unknown) within 250 ms of an answer |
/// | 503 | [`Outage`](Self::Outage), but [`Throttled`](Self::Throttled) within 2 s of an answer |
/// | 429 | [`Throttled`](Self::Throttled) |
/// | name not resolved, other time limits, a response that breaks off, failures of this machine | [`Unknown`](Self::Unknown) |
///
/// ```
/// use fetch_proto::{AttemptEnd, AttemptReport, AttemptTimings, FailureKind, HostEvidence, Timestamp};
///
/// let url = std::sync::Arc::new("http://a.test/".parse()?);
/// let end = AttemptEnd::Failed(FailureKind::Connect);
/// let refused = AttemptReport::new(1, url, end, AttemptTimings::new(Timestamp::START));
/// assert_eq!(HostEvidence::of(&refused, None), HostEvidence::Outage);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HostEvidence {
    /// The host answers.
    Alive,
    /// The host is down, or the gateway in front of it cannot reach it.
    Outage,
    /// The host works, and rejects requests because there are too many.
    Throttled,
    /// Nothing about the host.
    Unknown,
}

impl HostEvidence {
    /// The judgement about an ended attempt. `answered_at` is the latest time at which the host
    /// answered with another status than 429, 502, 503 and 504.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{AttemptEnd, AttemptReport, AttemptTimings, HostEvidence, Timestamp};
    /// # let url = std::sync::Arc::new("http://a.test/".parse()?);
    /// let start = Timestamp::START;
    /// let mut unavailable = AttemptReport::new(1, url, AttemptEnd::Responded, AttemptTimings::new(start));
    /// unavailable.status = Some(503);
    /// assert_eq!(HostEvidence::of(&unavailable, Some(start)), HostEvidence::Throttled);
    /// unavailable.timings.ended = start + Duration::from_secs(2);
    /// assert_eq!(HostEvidence::of(&unavailable, Some(start)), HostEvidence::Outage);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of(report: &AttemptReport, answered_at: Option<Timestamp>) -> Self {
        HostSignal::of(report).evidence(report.timings.ended, answered_at)
    }

    /// The judgement about a response with this status, which arrives `at`.
    pub(crate) fn of_status(status: u16, at: Timestamp, answered_at: Option<Timestamp>) -> Self {
        HostSignal::of_status(status, at).evidence(at, answered_at)
    }
}

/// How an attempt shows an outage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) enum OutageSign {
    /// The connection was reset or closed before the response.
    Closed,
    /// 502 or 504.
    Gateway,
    /// 503, with which many hosts also limit the rate.
    Unavailable,
    /// No connection was established.
    Unreachable,
}

impl OutageSign {
    /// The sign in a failure or status. `report` is that of the attempt, unless it has not ended.
    pub(crate) fn of(cause: FailureCause, report: Option<&AttemptReport>) -> Option<Self> {
        let has_head = report.is_some_and(|report| report.timings.head.is_some());
        match cause {
            FailureCause::Status(502 | 504) => Some(Self::Gateway),
            FailureCause::Status(503) => Some(Self::Unavailable),
            FailureCause::Failure(FailureKind::Connect) => Some(Self::Unreachable),
            FailureCause::Failure(
                FailureKind::EmptyReply | FailureKind::Io | FailureKind::Unanswered,
            ) => (!has_head).then_some(Self::Closed),
            // Any limit may be the one that ends an attempt to connect.
            FailureCause::Timeout(
                TimeLimit::Attempt | TimeLimit::Connect | TimeLimit::FirstByte,
            ) => {
                let timings = &report?.timings;
                let is_connecting = timings.resolved.is_some() && timings.connected.is_none();
                (is_connecting && !has_head).then_some(Self::Unreachable)
            }
            _ => None,
        }
    }

    /// For how long after an answer of the host the sign proves nothing about it.
    const fn patience(self) -> Duration {
        match self {
            Self::Closed | Self::Gateway => Duration::from_millis(250),
            Self::Unavailable => Duration::from_secs(2),
            Self::Unreachable => Duration::ZERO,
        }
    }
}

/// The end of an attempt, as far as it concerns the host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HostSignal {
    /// The host answered at this time.
    Answer(Timestamp),
    /// 429.
    RateLimit,
    /// No answer, and no sign of an outage: a time limit, an unknown name.
    Silence,
    /// A sign of an outage, and the failure that shows it.
    Sign(OutageSign, FailureCause),
    /// The attempt was dropped, or failed because of this machine.
    Nothing,
}

impl HostSignal {
    pub(crate) fn of(report: &AttemptReport) -> Self {
        let timings = &report.timings;
        let answered_at = timings.head.unwrap_or(timings.ended);
        let cause = match (report.end, report.status) {
            (AttemptEnd::Failed(FailureKind::Io), Some(_)) => return Self::Nothing,
            (_, Some(status)) => return Self::of_status(status, answered_at),
            (AttemptEnd::Failed(failure), None) => FailureCause::Failure(failure),
            (AttemptEnd::TimedOut(limit), None) => FailureCause::Timeout(limit),
            _ => return Self::Nothing,
        };
        match (OutageSign::of(cause, Some(report)), cause) {
            (Some(sign), _) => Self::Sign(sign, cause),
            (None, FailureCause::Failure(failure)) => match failure {
                FailureKind::BodyTooLarge
                | FailureKind::Decode
                | FailureKind::Protocol
                | FailureKind::Tls => Self::Answer(answered_at),
                FailureKind::Resolve | FailureKind::UnknownHost => Self::Silence,
                _ => Self::Nothing,
            },
            (None, FailureCause::Timeout(TimeLimit::Queue | TimeLimit::Total)) => Self::Nothing,
            (
                None,
                FailureCause::Rejected(_) | FailureCause::Status(_) | FailureCause::Timeout(_),
            ) => Self::Silence,
        }
    }

    /// The signal of a response with this status, which arrives `at`.
    fn of_status(status: u16, at: Timestamp) -> Self {
        let cause = FailureCause::Status(status);
        match OutageSign::of(cause, None) {
            Some(sign) => Self::Sign(sign, cause),
            None if status == 429 => Self::RateLimit,
            None => Self::Answer(at),
        }
    }

    fn evidence(self, at: Timestamp, answered_at: Option<Timestamp>) -> HostEvidence {
        match self {
            Self::Answer(_) => HostEvidence::Alive,
            Self::RateLimit => HostEvidence::Throttled,
            Self::Nothing | Self::Silence => HostEvidence::Unknown,
            Self::Sign(sign, _) => {
                let silence = answered_at.map(|answered| at.saturating_since(answered));
                match silence.is_none_or(|silence| silence >= sign.patience()) {
                    true => HostEvidence::Outage,
                    false if sign == OutageSign::Unavailable => HostEvidence::Throttled,
                    false => HostEvidence::Unknown,
                }
            }
        }
    }
}

/// The signs of an outage since the host's latest answer.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct FailureSeries {
    /// The latest failure.
    pub(crate) cause: FailureCause,
    failures: u32,
    is_unreachable: bool,
    /// When the first attempt failed.
    pub(crate) since: Timestamp,
}

/// The latest answer of a host, and its failures since.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct HostHealth {
    answered_at: Option<Timestamp>,
    series: Option<FailureSeries>,
}

impl HostHealth {
    /// Records the end of an attempt at `now`, and judges it.
    pub(crate) fn record(&mut self, signal: HostSignal, now: Timestamp) -> HostEvidence {
        let evidence = signal.evidence(now, self.answered_at);
        match signal {
            HostSignal::Answer(at) => {
                self.answered_at = self.answered_at.max(Some(at));
                // The head of a long response may have come before the failures.
                self.series = self.series.filter(|series| series.since > at);
            }
            HostSignal::RateLimit => self.series = None,
            HostSignal::Sign(sign, cause) => {
                let series = self.series.get_or_insert(FailureSeries {
                    cause,
                    failures: 0,
                    is_unreachable: false,
                    since: now,
                });
                series.cause = cause;
                series.failures = series.failures.saturating_add(1);
                series.is_unreachable = sign == OutageSign::Unreachable;
            }
            HostSignal::Nothing | HostSignal::Silence => {}
        }
        evidence
    }

    /// When the host last answered with another status than 429, 502, 503 and 504.
    pub(crate) fn answered_at(&self) -> Option<Timestamp> {
        self.answered_at
    }

    pub(crate) fn series(&self) -> Option<FailureSeries> {
        self.series
    }

    /// Whether a host with few fetches is down: it has been unreachable for a while, and there
    /// were several attempts.
    pub(crate) fn is_down(&self, now: Timestamp) -> bool {
        self.series.is_some_and(|series| {
            let silent_since = self.answered_at.max(Some(series.since));
            let silence = silent_since.map(|since| now.saturating_since(since));
            series.is_unreachable
                && series.failures >= FAILURES_OF_SMALL_HOST
                && silence >= Some(SILENCE_OF_SMALL_HOST)
        })
    }

    /// Whether one more such failure leaves open whether the host is down, so that no fetch should
    /// end because of it yet.
    pub(crate) fn may_be_down(&self, sign: OutageSign) -> bool {
        let has_answered = self.answered_at.is_some() && sign == OutageSign::Unreachable;
        let failures = self.series.map_or(0, |series| series.failures);
        has_answered || failures + 1 >= FAILURES_OF_SMALL_HOST
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::model::timings::{AttemptPhase, AttemptTimings};

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_start(Duration::from_millis(millis))
    }

    fn ended(end: AttemptEnd, status: Option<u16>) -> AttemptReport {
        let url = Arc::new("http://a.test/".parse().unwrap());
        let mut timings = AttemptTimings::new(at(0));
        timings.ended = at(10_000);
        timings.head = status.map(|_| at(10_000));
        let mut report = AttemptReport::new(1, url, end, timings);
        report.status = status;
        report
    }

    #[test]
    fn only_what_shows_an_outage_is_one() {
        use HostEvidence::{Alive, Outage, Throttled, Unknown};
        let failed = |failure| ended(AttemptEnd::Failed(failure), None);
        let answered = |status| ended(AttemptEnd::Responded, Some(status));
        let mut connecting = ended(AttemptEnd::TimedOut(TimeLimit::Attempt), None);
        connecting
            .timings
            .record(AttemptPhase::Resolved, at(10_000));
        let mut connected = connecting.clone();
        connected
            .timings
            .record(AttemptPhase::Connected, at(10_000));
        let table = [
            (failed(FailureKind::Connect), Outage),
            (failed(FailureKind::EmptyReply), Outage),
            (failed(FailureKind::Io), Outage),
            (connecting, Outage),
            (answered(502), Outage),
            (answered(503), Outage),
            (answered(504), Outage),
            (answered(429), Throttled),
            (answered(200), Alive),
            (answered(404), Alive),
            (answered(500), Alive),
            (answered(501), Alive),
            (failed(FailureKind::Tls), Alive),
            (failed(FailureKind::Protocol), Alive),
            (connected, Unknown),
            (
                ended(AttemptEnd::TimedOut(TimeLimit::Connect), None),
                Unknown,
            ),
            (failed(FailureKind::Resolve), Unknown),
            (failed(FailureKind::UnknownHost), Unknown),
            (failed(FailureKind::Exhausted), Unknown),
            (failed(FailureKind::Stale { sent: true }), Unknown),
            (
                ended(AttemptEnd::Failed(FailureKind::Io), Some(200)),
                Unknown,
            ),
            (ended(AttemptEnd::Cancelled, None), Unknown),
        ];
        for (report, expected) in table {
            assert_eq!(HostEvidence::of(&report, None), expected, "{report:?}");
        }
    }

    #[test]
    fn a_host_that_has_just_answered_is_not_down_because_of_a_status() {
        let status = |status| ended(AttemptEnd::Responded, Some(status));
        let (refused, closed) = (
            ended(AttemptEnd::Failed(FailureKind::Connect), None),
            ended(AttemptEnd::Failed(FailureKind::EmptyReply), None),
        );
        let of = |report: &AttemptReport, millis_ago: u64| {
            HostEvidence::of(report, Some(at(10_000 - millis_ago)))
        };
        assert_eq!(of(&status(503), 1999), HostEvidence::Throttled);
        assert_eq!(of(&status(503), 2000), HostEvidence::Outage);
        assert_eq!(of(&status(502), 249), HostEvidence::Unknown);
        assert_eq!(of(&status(504), 250), HostEvidence::Outage);
        assert_eq!(of(&closed, 249), HostEvidence::Unknown);
        assert_eq!(of(&refused, 0), HostEvidence::Outage);
    }

    fn sign(sign: OutageSign) -> HostSignal {
        HostSignal::Sign(sign, FailureCause::Failure(FailureKind::Connect))
    }

    #[test]
    fn five_failures_to_connect_over_two_seconds_are_an_outage() {
        let mut health = HostHealth::default();
        for n in 0..5 {
            assert!(!health.is_down(at(9000)), "{n} failures");
            health.record(sign(OutageSign::Unreachable), at(1000));
        }
        assert_eq!(
            (health.is_down(at(2999)), health.is_down(at(3000))),
            (false, true)
        );
        health.record(HostSignal::Answer(at(500)), at(3000));
        assert!(health.is_down(at(3000)), "that answer began before");
        health.record(HostSignal::Answer(at(3000)), at(3000));
        assert!(health.series().is_none());
    }

    #[test]
    fn a_few_closed_connections_are_no_outage() {
        let mut health = HostHealth::default();
        for _ in 0..9 {
            health.record(sign(OutageSign::Closed), at(1000));
        }
        assert!(!health.is_down(at(9000)));
    }

    #[test]
    fn the_single_fetch_of_a_host_may_mean_an_outage_only_if_it_answered_before() {
        let mut health = HostHealth::default();
        health.record(sign(OutageSign::Unreachable), at(0));
        assert!(!health.may_be_down(OutageSign::Unreachable));
        health.record(HostSignal::Answer(at(1)), at(1));
        assert!(
            health.may_be_down(OutageSign::Unreachable),
            "the first failure since"
        );
        health.record(sign(OutageSign::Unreachable), at(2));
        assert!(health.may_be_down(OutageSign::Unreachable));
        assert!(!health.may_be_down(OutageSign::Closed));
    }

    #[test]
    fn a_503_limits_the_rate_only_while_the_host_also_answers_normally() {
        let at = |seconds| Timestamp::START + Duration::from_secs(seconds);
        let limits_rate = |status, answered_at| {
            HostEvidence::of_status(status, at(9), answered_at) == HostEvidence::Throttled
        };
        assert!(limits_rate(429, None));
        assert!(!limits_rate(503, None));
        assert!(limits_rate(503, Some(at(8))));
        assert!(!limits_rate(503, Some(at(6))));
        assert!(!limits_rate(502, Some(at(9))));
        let is_alive = |status| HostEvidence::of_status(status, at(9), None) == HostEvidence::Alive;
        assert!([200, 404, 500].into_iter().all(is_alive));
    }
}
