//! Time during which the limits of a fetch do not run, because its host is waited for.

use core::time::Duration;

use super::{Fetch, FetchState};
use crate::guards::health::OutageSign;
use crate::model::failure::FailureCause;
use crate::model::outcome::{AttemptEnd, AttemptReport};
use crate::model::time::{CompactDuration, Timestamp};

/// How often the failed attempts of an outage may be forgiven to one fetch. The bound ends fetches
/// that bring their host down each time, or that fail by themselves between good answers.
const MAX_FORGIVEN: u8 = 5;

/// A shorter outage may be none: its fetches may have failed by themselves.
const REAL_OUTAGE: Duration = Duration::from_secs(2);

/// The holds of a fetch. Few fetches have any.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct HoldState {
    /// Of the time that counts towards the total limit, what was before the start of the clock, because
    /// the fetch comes from another process.
    #[cfg_attr(feature = "serde", serde(default))]
    carried_total: CompactDuration,
    /// The same for the queue limit.
    #[cfg_attr(feature = "serde", serde(default))]
    carried_waiting: CompactDuration,
    forgiven: u8,
    /// When attempts were last forgiven, unless the outage was too short.
    forgiven_at: Option<Timestamp>,
    /// When the current hold began.
    since: Option<Timestamp>,
    /// Ended holds since the first attempt.
    total: CompactDuration,
    /// Ended holds during the current wait for a slot.
    waiting: CompactDuration,
}

impl HoldState {
    /// Counts what was before the start of a new clock.
    pub(super) fn carry(&mut self, total: Duration, waiting: Duration) {
        self.carried_total += total;
        self.carried_waiting += waiting;
    }

    pub(super) fn times_mut(&mut self) -> impl Iterator<Item = &mut Timestamp> {
        [&mut self.forgiven_at, &mut self.since]
            .into_iter()
            .flatten()
    }
}

impl Fetch {
    /// Stops the queue limit and the total limit, until they are released.
    pub(crate) fn hold_limits(&mut self, now: Timestamp) {
        if !matches!(self.state, FetchState::Ended { .. }) {
            self.hold.get_or_insert_default().since.get_or_insert(now);
        }
    }

    /// Continues the limits that were held.
    pub(crate) fn release_limits(&mut self, now: Timestamp) {
        let Some(hold) = self.hold.as_mut() else {
            return;
        };
        let Some(since) = hold.since.take() else {
            return;
        };
        let held = now.saturating_since(since);
        hold.total += held;
        if held < REAL_OUTAGE {
            hold.forgiven_at = None;
        }
        let waits_since = since.max(self.waiting_since);
        hold.waiting += now.saturating_since(waits_since);
    }

    pub(super) fn are_limits_held(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.since.is_some())
    }

    /// The total limit with its extensions.
    pub(super) fn extended_total(&self, limit: Duration) -> Duration {
        let limit = limit.saturating_add(self.total_extension());
        match &self.hold {
            Some(hold) => extended(limit, hold.total, hold.carried_total),
            None => limit,
        }
    }

    /// The queue limit with its extension.
    pub(super) fn extended_waiting(&self, limit: Duration) -> Duration {
        match &self.hold {
            Some(hold) => extended(limit, hold.waiting, hold.carried_waiting),
            None => limit,
        }
    }

    /// Begins a wait for a slot, to which earlier holds do not count.
    pub(super) fn reset_held_waiting(&mut self) {
        if let Some(hold) = &mut self.hold {
            hold.waiting = CompactDuration::default();
            hold.carried_waiting = CompactDuration::default();
        }
    }

    /// The first attempt starts: the total limit begins to run.
    pub(super) fn reset_held_total(&mut self, now: Timestamp) {
        if let Some(hold) = &mut self.hold {
            hold.total = CompactDuration::default();
            hold.carried_total = CompactDuration::default();
            hold.since = hold.since.map(|_| now);
        }
    }

    /// Gives back the attempts that failed since `since` because the host is down. A policy with one
    /// attempt has no retries at all.
    pub(crate) fn forgive_attempts(&mut self, since: Timestamp, now: Timestamp) {
        let failed = |report: &&AttemptReport| {
            report.timings.ended >= since
                && failure_cause(report)
                    .is_some_and(|cause| OutageSign::of(cause, Some(report)).is_some())
        };
        let failed = self.attempts.iter().filter(failed).count();
        let failed = u16::try_from(failed).unwrap_or(u16::MAX);
        let running = u16::from(matches!(self.state, FetchState::InFlight) && !self.next_counts);
        let forgivable = self.counted_attempts.saturating_sub(running).min(failed);
        if forgivable == 0 {
            return;
        }
        let hold = self.hold.get_or_insert_default();
        if hold.forgiven < MAX_FORGIVEN {
            hold.forgiven += 1;
            hold.forgiven_at = Some(now);
            self.counted_attempts -= forgivable;
        }
    }

    /// The earliest of `reports`, of attempts before `number`, that failed in a way that may be the
    /// host's or the URL's own fault, and was not forgiven: closed without a response, 502, 503, 504.
    /// If the host has answered since, the URL fails by itself.
    pub(crate) fn earliest_own_failure(
        &self,
        reports: &[AttemptReport],
        number: u16,
    ) -> Option<Timestamp> {
        let forgiven_at = self.hold.as_ref().and_then(|hold| hold.forgiven_at);
        let is_own = |report: &&AttemptReport| {
            let sign = failure_cause(report)
                .and_then(|cause| OutageSign::of(cause, Some(report)))
                .filter(|sign| *sign != OutageSign::Unreachable);
            sign.is_some() && report.number < number && Some(report.timings.ended) > forgiven_at
        };
        let own = reports.iter().filter(is_own);
        own.map(|report| report.timings.ended).min()
    }
}

fn extended(limit: Duration, held: CompactDuration, carried: CompactDuration) -> Duration {
    limit
        .saturating_add(held.into())
        .saturating_sub(carried.into())
}

fn failure_cause(report: &AttemptReport) -> Option<FailureCause> {
    Some(match (report.end, report.status) {
        (AttemptEnd::Responded, Some(status)) => FailureCause::Status(status),
        (AttemptEnd::Failed(failure), _) => FailureCause::Failure(failure),
        (AttemptEnd::TimedOut(limit), _) => FailureCause::Timeout(limit),
        _ => return None,
    })
}
