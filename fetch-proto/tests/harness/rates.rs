//! How fast attempts start, compared with what was allowed.

use std::collections::BTreeMap;
use std::time::Duration;

use fetch_proto::{Rate, Timestamp};

use super::PolicySet;

/// When attempts started since the rates were last changed.
#[derive(Clone, Debug, Default)]
pub(super) struct RateChecker {
    rests: BTreeMap<String, Timestamp>,
    starts: Vec<(Timestamp, String)>,
}

impl RateChecker {
    pub(super) fn forget_rates(&mut self) {
        self.starts.clear();
    }

    /// A server asked for a rest.
    pub(super) fn rest(&mut self, origin: &str, until: Timestamp) {
        let rest = self.rests.entry(origin.into()).or_insert(until);
        *rest = until.max(*rest);
    }

    /// An attempt starts: is it within all rates, and after every rest?
    pub(super) fn start(&mut self, origin: &str, policies: PolicySet, now: Timestamp) {
        let rest = self.rests.get(origin);
        assert!(
            rest.is_none_or(|rest| *rest <= now),
            "{origin} was to be left alone"
        );
        if policies.has(PolicySet::SPACING) {
            let here = self.starts.iter().filter(|(_, at)| at == origin);
            let last = here.map(|(at, _)| *at).max();
            let enough = |at| now.saturating_since(at) >= Duration::from_millis(50);
            assert!(
                last.is_none_or(enough),
                "no space after the last start at {origin}"
            );
        }
        self.starts.push((now, origin.into()));
        let [all, host, rule] = policies.rates();
        for rate in [all, rule].into_iter().flatten() {
            within(rate, self.starts.iter().map(|(at, _)| *at), now);
        }
        if let Some(rate) = host {
            let here = self.starts.iter().filter(|(_, at)| at == origin);
            within(rate, here.map(|(at, _)| *at), now);
        }
    }
}

/// In no span that ends now are there more starts than the burst and what the rate adds.
fn within(rate: Rate, starts: impl Iterator<Item = Timestamp>, now: Timestamp) {
    let starts: Vec<_> = starts.collect();
    for (i, from) in starts.iter().enumerate() {
        let (seen, span) = (
            (starts.len() - i) as u128,
            now.saturating_since(*from).as_nanos(),
        );
        let (count, per) = (u128::from(rate.count().get()), rate.period().as_nanos());
        let burst = u128::from(rate.burst_size().get());
        // A nanosecond may be lost to rounding.
        let most = burst * per + (span + 1) * count;
        assert!(
            seen * per <= most,
            "{seen} starts in {span} ns: more than {rate:?}"
        );
    }
}
