//! The half-open phase, in which probes decide whether a circuit closes.

use alloc::vec::Vec;
use core::time::Duration;

use super::Breaker;
use crate::model::time::Timestamp;

/// Probes in flight, and the results so far.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct HalfOpen {
    /// Latest end of all leases granted.
    pub(super) ends: Timestamp,
    failures: u32,
    leases: Vec<Lease>,
    next: u32,
    successes: u32,
}

/// A probe in flight, which occupies a slot until `ends`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct Lease {
    ends: Timestamp,
    probe: u32,
}

impl HalfOpen {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            ends: now,
            failures: 0,
            leases: Vec::new(),
            next: 0,
            successes: 0,
        }
    }

    /// When a slot becomes free, or `None` if one is free at `now`.
    pub(super) fn full_until(&self, config: &Breaker, now: Timestamp) -> Option<Timestamp> {
        // More probes than can still influence the decision would be useless.
        let settled = self.successes + self.failures;
        let undecided = config.trials().saturating_sub(settled);
        let places = config.probes_at_once.min(undecided).max(1) as usize;
        let ends = self.leases.iter().map(|lease| lease.ends);
        let mut ends: Vec<_> = ends.filter(|ends| *ends > now).collect();
        // After a reduction of the slots, more than one lease has to end.
        let over = ends.len().checked_sub(places)?;
        ends.sort_unstable();
        Some(ends[over])
    }

    /// Starts a probe and returns its number. The caller has checked that a slot is free.
    pub(super) fn lease(&mut self, config: &Breaker, now: Timestamp) -> u32 {
        self.leases.retain(|lease| lease.ends > now);
        let probe = self.next;
        self.next = self.next.wrapping_add(1);
        let ends = now + config.probe_lease.max(Duration::from_nanos(1));
        self.ends = self.ends.max(ends);
        self.leases.push(Lease { ends, probe });
        probe
    }

    pub(super) fn release(&mut self, probe: u32) {
        self.leases.retain(|lease| lease.probe != probe);
    }

    /// Counts a result. Once the phase is decided, returns whether the circuit closes.
    pub(super) fn count(&mut self, config: &Breaker, success: bool) -> Option<bool> {
        if success {
            self.successes += 1;
        } else {
            self.failures += 1;
        }
        if self.successes >= config.needed() {
            return Some(true);
        }
        (self.failures > config.trials() - config.needed()).then_some(false)
    }

    /// Resets the counts. Probes in flight keep their slots, and their results count.
    pub(super) fn restart(&mut self) {
        (self.failures, self.successes) = (0, 0);
    }
}
