//! The half-open phase, in which probes decide whether a circuit closes.

use alloc::vec::Vec;
use core::time::Duration;

use super::Breaker;
use crate::model::time::Timestamp;

/// Probes in flight, and the results so far.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct ProbePhase {
    /// Latest end of all leases granted.
    pub(super) last_lease_ends: Timestamp,
    failures: u32,
    leases: Vec<ProbeLease>,
    next_probe: u32,
    successes: u32,
}

/// A probe in flight, which occupies a slot until `ends`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct ProbeLease {
    ends: Timestamp,
    probe: u32,
}

impl ProbePhase {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            last_lease_ends: now,
            failures: 0,
            leases: Vec::new(),
            next_probe: 0,
            successes: 0,
        }
    }

    /// When a slot becomes free, or `None` if one is free at `now`.
    pub(super) fn full_until(&self, config: &Breaker, now: Timestamp) -> Option<Timestamp> {
        // More probes than can still influence the decision would be useless.
        let settled = self.successes + self.failures;
        let undecided = config.probe_count().saturating_sub(settled);
        let slots = config.probes_at_once.min(undecided).max(1) as usize;
        let ends = self.leases.iter().map(|lease| lease.ends);
        let mut ends: Vec<_> = ends.filter(|ends| *ends > now).collect();
        // After a reduction of the slots, more than one lease has to end.
        let over = ends.len().checked_sub(slots)?;
        ends.sort_unstable();
        Some(ends[over])
    }

    /// Starts a probe and returns its number. The caller has checked that a slot is free.
    pub(super) fn start_probe(&mut self, config: &Breaker, now: Timestamp) -> u32 {
        self.leases.retain(|lease| lease.ends > now);
        let probe = self.next_probe;
        self.next_probe = self.next_probe.wrapping_add(1);
        let ends = now + config.probe_lease.max(Duration::from_nanos(1));
        self.last_lease_ends = self.last_lease_ends.max(ends);
        self.leases.push(ProbeLease { ends, probe });
        probe
    }

    pub(super) fn release_probe(&mut self, probe: u32) {
        self.leases.retain(|lease| lease.probe != probe);
    }

    /// Counts a result. Once the phase is decided, returns whether the circuit closes.
    pub(super) fn record(&mut self, config: &Breaker, success: bool) -> Option<bool> {
        if success {
            self.successes += 1;
        } else {
            self.failures += 1;
        }
        if self.successes >= config.required_successes() {
            return Some(true);
        }
        (self.failures > config.probe_count() - config.required_successes()).then_some(false)
    }

    /// Resets the counts. Probes in flight keep their slots, and their results count.
    pub(super) fn reset_counts(&mut self) {
        (self.failures, self.successes) = (0, 0);
    }
}
