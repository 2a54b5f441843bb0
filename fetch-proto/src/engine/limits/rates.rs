//! How fast attempts may start: over all hosts, and by rule.

use super::rule_rates::RuleRates;
use super::start_rate::StartRate;
use crate::guards::rate::{Rate, RateLimiter};
use crate::model::time::Timestamp;
use crate::model::wake::{NextWake, WakeReason};
use crate::rules::PolicyRules;

/// The rate over all hosts and the rates of rules. If several engines share them, each start needs a
/// grant.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct RateLimits {
    pub(crate) rules: RuleRates,
    all_hosts: Option<StartRate>,
    are_shared: bool,
}

impl RateLimits {
    pub(crate) fn new(rate: Option<Rate>, rules: &PolicyRules) -> Self {
        Self {
            rules: RuleRates::new(rules),
            all_hosts: rate.map(|rate| StartRate::new(rate, false)),
            are_shared: false,
        }
    }

    /// Sets the rate over all hosts. A rate that is not shared keeps its debt.
    pub(crate) fn set_rate(&mut self, rate: Option<Rate>) {
        match (&mut self.all_hosts, rate) {
            (Some(known), Some(rate)) => known.set_rate(rate),
            (_, rate) => self.all_hosts = rate.map(|rate| StartRate::new(rate, self.are_shared)),
        }
    }

    /// Marks the rates as shared by several engines.
    pub(crate) fn share(&mut self) {
        self.are_shared = true;
        let rate = self.all_hosts.take().map(|rate| rate.rate());
        self.set_rate(rate);
        self.rules.share();
    }

    /// Whether a start of this rule needs a grant.
    pub(crate) fn needs_grant(&self, rule: u32) -> bool {
        self.are_shared && (self.all_hosts.is_some() || self.rules.has_rate(rule))
    }

    /// Whether the rate over all hosts lets an attempt start now.
    pub(crate) fn allows(&self, now: Timestamp) -> bool {
        let is_due = |rate: &StartRate| rate.next_allowed(now) <= now;
        self.all_hosts.as_ref().is_none_or(is_due)
    }

    /// Counts an attempt against the rate over all hosts.
    pub(crate) fn take(&mut self, now: Timestamp) {
        if let Some(rate) = &mut self.all_hosts {
            rate.consume(now);
        }
    }

    /// Records that the shared rate over all hosts grants nothing before `until`.
    pub(crate) fn deny_until(&mut self, until: Timestamp) {
        if let Some(rate) = &mut self.all_hosts {
            rate.deny_until(until);
        }
    }

    /// When the rate over all hosts lets the next attempt start.
    pub(crate) fn wake(&self, now: Timestamp) -> Option<NextWake> {
        let rate = self.all_hosts.as_ref()?;
        Some(NextWake {
            at: rate.next_allowed(now),
            why: WakeReason::Rate,
        })
    }
}

/// Creates, updates or removes the limiter of a rate. An updated limiter keeps its debt.
pub(crate) fn change_rate(state: &mut Option<RateLimiter>, rate: Option<Rate>) {
    match (state.as_mut(), rate) {
        (Some(gcra), Some(rate)) => gcra.set_rate(rate),
        (_, rate) => *state = rate.map(RateLimiter::new),
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_start(Duration::from_millis(millis))
    }

    #[test]
    fn without_a_rate_everything_is_allowed() {
        let mut rates = RateLimits::new(None, &PolicyRules::default());
        rates.take(at(0));
        assert!(rates.allows(at(0)));
        assert_eq!(rates.wake(at(0)), None);
    }

    #[test]
    fn a_shared_rate_asks_for_grants_and_waits_as_long_as_they_are_denied() {
        let mut rates = RateLimits::new("10/s".parse().ok(), &PolicyRules::default());
        assert!(!rates.needs_grant(0));
        rates.share();
        for _ in 0..2 {
            assert!(rates.needs_grant(0) && rates.allows(at(0)));
            rates.take(at(0));
        }
        rates.deny_until(at(100));
        assert!(!rates.allows(at(99)) && rates.allows(at(100)));
        assert_eq!(rates.wake(at(0)).map(|wake| wake.at), Some(at(100)));
        rates.set_rate("20/s".parse().ok());
        assert!(rates.allows(at(0)), "the new rate may allow it");
        rates.set_rate(None);
        assert!(!rates.needs_grant(0));
    }

    #[test]
    fn what_is_owed_survives_a_new_rate() {
        let mut rates = RateLimits::new("1/h".parse().ok(), &PolicyRules::default());
        rates.take(at(0));
        rates.set_rate("10/s".parse().ok());
        assert!(!rates.allows(at(1000)));
        rates.set_rate(None);
        assert!(rates.allows(at(1000)));
    }
}
