//! Fault injection, so that users can test their programs.

use alloc::vec::Vec;
use core::time::Duration;

use crate::model::fault::InjectedFault;
use crate::model::time::nanos;
use crate::random::{between, mix};

/// Which faults are injected, and how often. The fault of an attempt is drawn from the fetch's seed
/// and the attempt's number, so a run is reproducible and attempts are independent.
///
/// Faults are injected beneath all policies: retries, breakers, budgets and limits cannot
/// distinguish them from faults of the network. They work with every transport.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{ChaosPolicy, FailureKind, InjectedFault, Policy};
///
/// let chaos = ChaosPolicy::default()
///     .fault(10, InjectedFault::Error(FailureKind::Resolve))
///     .fault(50, InjectedFault::latency(Duration::from_millis(100)..=Duration::from_secs(2)));
/// let policy = Policy::default().chaos(chaos);
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct ChaosPolicy {
    faults: Vec<(u16, InjectedFault)>,
}

impl ChaosPolicy {
    /// Adds a fault that is injected into `per_mille` of 1,000 attempts. An attempt gets at most
    /// one fault, so the rates add up; faults beyond a sum of 1,000 are never injected.
    ///
    /// ```
    /// # use fetch_proto::{ChaosPolicy, InjectedFault};
    /// let one_in_ten = ChaosPolicy::default().fault(100, InjectedFault::Reset);
    /// ```
    #[must_use]
    pub fn fault(mut self, per_mille: u16, fault: InjectedFault) -> Self {
        self.faults.push((per_mille, fault));
        self
    }

    /// The faults, each with its rate per 1,000 attempts.
    ///
    /// ```
    /// # use fetch_proto::{ChaosPolicy, InjectedFault};
    /// let chaos = ChaosPolicy::default().fault(100, InjectedFault::Reset);
    /// assert_eq!(chaos.faults().next(), Some((100, InjectedFault::Reset)));
    /// ```
    pub fn faults(&self) -> impl Iterator<Item = (u16, InjectedFault)> {
        self.faults.iter().copied()
    }

    /// The fault of the attempt with this number, for a fetch with this seed.
    ///
    /// ```
    /// # use fetch_proto::{ChaosPolicy, InjectedFault};
    /// let always = ChaosPolicy::default().fault(1000, InjectedFault::Stall);
    /// assert_eq!(always.draw(7, 1), Some(InjectedFault::Stall));
    /// ```
    #[must_use]
    pub fn draw(&self, seed: u64, attempt: u16) -> Option<InjectedFault> {
        if self.faults.is_empty() {
            return None;
        }
        let word = mix(mix(seed, FAULT_STREAM), u64::from(attempt));
        let mut left = between(word, 0, 999);
        for (per_mille, fault) in &self.faults {
            match left.checked_sub(u64::from(*per_mille)) {
                Some(rest) => left = rest,
                None => return Some(*fault),
            }
        }
        None
    }
}

/// The delay of an [`InjectedFault::Latency`].
pub(crate) fn injected_latency(min: Duration, max: Duration, seed: u64, attempt: u16) -> Duration {
    let word = mix(mix(seed, LATENCY_STREAM), u64::from(attempt));
    Duration::from_nanos(between(word, nanos(min), nanos(max)))
}

// Separate random streams, so that faults do not change a fetch's jitter.
const FAULT_STREAM: u64 = 0xc4a0;
const LATENCY_STREAM: u64 = 0x1a7e;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_their_rates_and_depend_only_on_the_seed() {
        let chaos = ChaosPolicy::default()
            .fault(100, InjectedFault::Reset)
            .fault(300, InjectedFault::Stall);
        let count = |fault| {
            (0..10_000)
                .filter(|seed| chaos.draw(*seed, 1) == fault)
                .count()
        };
        assert!((900..1_100).contains(&count(Some(InjectedFault::Reset))));
        assert!((2_800..3_200).contains(&count(Some(InjectedFault::Stall))));
        assert!((5_800..6_200).contains(&count(None)));
        assert_eq!(chaos.draw(7, 3), chaos.draw(7, 3));
    }

    #[test]
    fn faults_beyond_a_full_rate_are_never_injected() {
        let chaos = ChaosPolicy::default()
            .fault(1000, InjectedFault::Reset)
            .fault(1000, InjectedFault::Stall);
        assert!((0..1_000).all(|seed| chaos.draw(seed, 1) == Some(InjectedFault::Reset)));
    }
}
