//! Checks that attempts start within the configured rates and pauses.

use std::collections::BTreeMap;
use std::time::Duration;

use fetch_proto::{Rate, Timestamp};

use super::PolicySet;

/// When attempts started since the rates last changed, and until when hosts are paused.
#[derive(Clone, Debug, Default)]
pub(super) struct RateChecker {
    paused_until: BTreeMap<String, Timestamp>,
    starts: Vec<(Timestamp, String)>,
}

impl RateChecker {
    pub(super) fn forget_rates(&mut self) {
        self.starts.clear();
    }

    /// Records that a server asked for a pause.
    pub(super) fn record_pause(&mut self, origin: &str, until: Timestamp) {
        let pause = self.paused_until.entry(origin.into()).or_insert(until);
        *pause = until.max(*pause);
    }

    /// Checks that a start is within all rates and after every pause.
    pub(super) fn check_start(&mut self, origin: &str, policies: PolicySet, now: Timestamp) {
        let until = self.paused_until.get(origin);
        assert!(
            until.is_none_or(|until| *until <= now),
            "{origin} is paused"
        );
        if policies.has(PolicySet::SPACING) {
            let here = self.starts.iter().filter(|(_, at)| at == origin);
            let last = here.map(|(at, _)| *at).max();
            let enough = |at| now.saturating_since(at) >= Duration::from_millis(50);
            assert!(
                last.is_none_or(enough),
                "the last start at {origin} was too recent"
            );
        }
        self.starts.push((now, origin.into()));
        let [all, host, rule] = policies.rates();
        for rate in [all, rule].into_iter().flatten() {
            assert_within(rate, self.starts.iter().map(|(at, _)| *at), now);
        }
        if let Some(rate) = host {
            let here = self.starts.iter().filter(|(_, at)| at == origin);
            assert_within(rate, here.map(|(at, _)| *at), now);
        }
    }
}

/// In every span that ends now, there are at most as many starts as the burst and the rate allow.
fn assert_within(rate: Rate, starts: impl Iterator<Item = Timestamp>, now: Timestamp) {
    let starts: Vec<_> = starts.collect();
    for (i, from) in starts.iter().enumerate() {
        let (seen, span) = (
            (starts.len() - i) as u128,
            now.saturating_since(*from).as_nanos(),
        );
        let (count, per) = (u128::from(rate.count().get()), rate.period().as_nanos());
        let burst = u128::from(rate.burst_size().get());
        // Rounding may lose a nanosecond.
        let most = burst * per + (span + 1) * count;
        assert!(
            seen * per <= most,
            "{seen} starts in {span} ns: more than {rate:?}"
        );
    }
}
