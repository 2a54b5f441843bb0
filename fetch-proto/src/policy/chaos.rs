//! Faults made on purpose, so that users can test what they have built.

use alloc::vec::Vec;
use core::time::Duration;

use crate::model::fault::InjectedFault;
use crate::model::time::nanos;
use crate::random::{between, mix};

/// Which faults are made, and how often: drawn for each attempt from the fetch's seed, so that a run
/// is repeated by its seed and no attempt's fate depends on another's.
///
/// The faults are made here in the core, innermost: to retries, breakers, budgets and limits they
/// look like the network's own, over every transport.
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
    /// Adds a fault that is made in `per_mille` of 1,000 attempts. At most one fault is made in an
    /// attempt, so the rates add up; over 1,000 in all, the later ones come to nothing.
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

    /// The faults, each with how many of 1,000 attempts get it.
    ///
    /// ```
    /// # use fetch_proto::{ChaosPolicy, InjectedFault};
    /// let chaos = ChaosPolicy::default().fault(100, InjectedFault::Reset);
    /// assert_eq!(chaos.faults().next(), Some((100, InjectedFault::Reset)));
    /// ```
    pub fn faults(&self) -> impl Iterator<Item = (u16, InjectedFault)> {
        self.faults.iter().copied()
    }

    /// The fault of the attempt with this number, of the fetch that `seed` belongs to.
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
        let word = mix(mix(seed, CHAOS), u64::from(attempt));
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

/// The wait of a [`InjectedFault::Latency`].
pub(crate) fn latency(min: Duration, max: Duration, seed: u64, attempt: u16) -> Duration {
    let word = mix(mix(seed, LATENCY), u64::from(attempt));
    Duration::from_nanos(between(word, nanos(min), nanos(max)))
}

// Streams of chance of their own, so that a fault changes no fetch's jitter.
const CHAOS: u64 = 0xc4a0;
const LATENCY: u64 = 0x1a7e;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_as_frequent_as_asked_and_the_same_for_the_same_seed() {
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
    fn rates_over_all_attempts_leave_the_later_faults_out() {
        let chaos = ChaosPolicy::default()
            .fault(1000, InjectedFault::Reset)
            .fault(1000, InjectedFault::Stall);
        assert!((0..1_000).all(|seed| chaos.draw(seed, 1) == Some(InjectedFault::Reset)));
    }
}
