//! How fast attempts may start: over all hosts, and by rule.

use super::rule_rates::RuleRates;
use crate::guards::limit_fraction::LimitFraction;
use crate::guards::rate::{Rate, RateLimiter};
use crate::model::time::Timestamp;
use crate::model::wake::{NextWake, WakeReason};
use crate::rules::PolicyRules;

/// The rate over all hosts and the rates of rules. If several engines share them, this engine has a
/// portion of each.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct RateLimits {
    pub(crate) rules: RuleRates,
    /// This engine's fraction of `configured`.
    all_hosts: Option<RateLimiter>,
    configured: Option<Rate>,
    fraction: LimitFraction,
}

impl RateLimits {
    pub(crate) fn new(rate: Option<Rate>, rules: &PolicyRules) -> Self {
        Self {
            rules: RuleRates::new(rules),
            all_hosts: rate.map(RateLimiter::new),
            configured: rate,
            fraction: LimitFraction::default(),
        }
    }

    /// Sets the rate over all hosts. What was owed is still owed.
    pub(crate) fn set_rate(&mut self, rate: Option<Rate>) {
        self.configured = rate;
        let own = rate.map(|rate| self.fraction.of_rate(rate));
        change_rate(&mut self.all_hosts, own);
    }

    /// Sets this engine's fraction of all rates. What was owed is still owed.
    pub(crate) fn set_fraction(&mut self, fraction: LimitFraction) {
        self.fraction = fraction;
        self.set_rate(self.configured);
        self.rules.set_fraction(fraction);
    }

    /// Whether the rate over all hosts lets an attempt start now.
    pub(crate) fn allows(&self, now: Timestamp) -> bool {
        let is_due = |rate: &RateLimiter| !self.fraction.is_zero() && rate.next_allowed(now) <= now;
        self.all_hosts.as_ref().is_none_or(is_due)
    }

    /// Counts an attempt against the rate over all hosts.
    pub(crate) fn take(&mut self, now: Timestamp) {
        if let Some(rate) = &mut self.all_hosts {
            let taken = rate.try_acquire(now);
            debug_assert!(taken.is_ok(), "checked before: it is within its rate");
        }
    }

    /// When the rate over all hosts lets the next attempt start, if it ever does.
    pub(crate) fn wake(&self, now: Timestamp) -> Option<NextWake> {
        let rate = self.all_hosts.as_ref();
        let rate: &RateLimiter = rate.filter(|_| !self.fraction.is_zero())?;
        Some(NextWake {
            at: rate.next_allowed(now),
            why: WakeReason::Rate,
        })
    }

    /// When nothing is owed to any of the rates, if no other attempt starts.
    pub(crate) fn idle_at(&self) -> Option<Timestamp> {
        let rules = self.rules.idle_at();
        self.all_hosts.as_ref().map(RateLimiter::idle_at).max(rules)
    }
}

/// Makes, changes or drops the state of a rate. What was owed is still owed.
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
        assert_eq!((rates.wake(at(0)), rates.idle_at()), (None, None));
    }

    #[test]
    fn a_portion_of_a_rate_is_slower_and_of_nothing_stops() {
        let mut rates = RateLimits::new("10/s".parse().ok(), &PolicyRules::default());
        rates.set_fraction(LimitFraction::new(1, 2));
        rates.take(at(0));
        assert_eq!(rates.wake(at(0)).map(|wake| wake.at), Some(at(200)));
        assert!(!rates.allows(at(199)) && rates.allows(at(200)));
        rates.set_fraction(LimitFraction::new(0, 2));
        assert!(!rates.allows(at(1000)));
        assert_eq!(rates.wake(at(1000)), None);
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
