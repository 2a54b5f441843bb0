//! Counts of an engine and of a host.

use crate::guards::breaker::CircuitState;
use crate::model::outcome::{FetchError, FetchOutcome};
use crate::model::time::Timestamp;

/// What an engine has done, and what it holds now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// Attempts that were started, retries and redirects included.
    pub attempts: u64,
    /// How often a host's breaker closed again.
    pub circuits_closed: u64,
    /// How often a host's breaker opened, after a failed probe too.
    pub circuits_opened: u64,
    /// Fetches that ended because the caller cancelled them.
    pub cancelled: u64,
    /// Fetches that ended without a response, cancelled ones not counted.
    pub failed: u64,
    /// Attempts in flight now.
    pub flying: usize,
    /// Hosts known now.
    pub hosts: usize,
    /// Fetches that are not over.
    pub live: usize,
    /// Redirects that were followed.
    pub redirects: u64,
    /// Fetches that ended with a response, whatever its status.
    pub responded: u64,
    /// Retries that were made.
    pub retries: u64,
    /// Fetches that waited for the response to another's request.
    pub shared: u64,
    /// Inputs that came too late to matter.
    pub stale_inputs: u64,
    /// Fetches that were submitted.
    pub submitted: u64,
    /// Calls whose time was before that of an earlier call.
    pub time_regressions: u64,
}

impl Stats {
    /// These and those of another engine together.
    ///
    /// ```
    /// use fetch_proto::Stats;
    /// assert_eq!(Stats::default().plus(Stats::default()), Stats::default());
    /// ```
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            attempts: self.attempts + other.attempts,
            circuits_closed: self.circuits_closed + other.circuits_closed,
            circuits_opened: self.circuits_opened + other.circuits_opened,
            cancelled: self.cancelled + other.cancelled,
            failed: self.failed + other.failed,
            flying: self.flying + other.flying,
            hosts: self.hosts + other.hosts,
            live: self.live + other.live,
            redirects: self.redirects + other.redirects,
            responded: self.responded + other.responded,
            retries: self.retries + other.retries,
            shared: self.shared + other.shared,
            stale_inputs: self.stale_inputs + other.stale_inputs,
            submitted: self.submitted + other.submitted,
            time_regressions: self.time_regressions + other.time_regressions,
        }
    }

    pub(super) fn count(&mut self, outcome: &FetchOutcome) {
        self.redirects += u64::from(outcome.redirects);
        self.retries += u64::from(outcome.retries);
        *match outcome.result {
            Ok(_) => &mut self.responded,
            Err(FetchError::Cancelled) => &mut self.cancelled,
            Err(_) => &mut self.failed,
        } += 1;
    }
}

/// How it stands with one host now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct HostStats {
    /// How its breaker stands, if it has one.
    pub circuit: Option<CircuitState>,
    /// Its attempts in flight.
    pub flying: usize,
    /// How many attempts at once it bears, if that is found out from its answers.
    pub limit: Option<usize>,
    /// Its fetches that are not over.
    pub live: usize,
    /// It rests until then, because its server asked to.
    pub paused_until: Option<Timestamp>,
    /// Its fetches that wait for a slot.
    pub queued: usize,
    /// How many retries and hedges its budget would pay for now, if it has one.
    pub retries_left: Option<u64>,
}
