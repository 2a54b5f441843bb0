//! Counts of an engine, and the state of a host.

use core::fmt;
use core::time::Duration;

use crate::guards::breaker::CircuitState;
use crate::model::outcome::{FetchError, FetchOutcome};
use crate::model::text::ShortDuration;
use crate::model::time::Timestamp;

/// Counts since the start of an engine, and its current state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct EngineStats {
    /// Attempts that were started, retries and redirects included.
    pub attempts: u64,
    /// Requests that were sent again because a server refused their token.
    #[cfg_attr(feature = "serde", serde(default))]
    pub auth_retries: u64,
    /// How often a host's breaker closed again.
    pub circuits_closed: u64,
    /// How often a host's breaker opened, after a failed probe too.
    pub circuits_opened: u64,
    /// Fetches that ended because the caller cancelled them.
    pub cancelled: u64,
    /// Fetches that ended without a response, not counting cancelled ones.
    pub failed: u64,
    /// Attempts in flight now.
    #[cfg_attr(feature = "serde", serde(rename = "flying"))]
    pub in_flight: usize,
    /// Hosts that are stored now.
    pub hosts: usize,
    /// Hosts that are down and waited for now: [`OutageWait`](crate::OutageWait).
    #[cfg_attr(feature = "serde", serde(default))]
    pub hosts_down: usize,
    /// Hosts that are down and were given up.
    #[cfg_attr(feature = "serde", serde(default))]
    pub hosts_given_up: usize,
    /// Fetches that have not ended.
    pub live: usize,
    /// Redirects that were followed.
    pub redirects: u64,
    /// Fetches that ended with a response, whatever its status.
    pub responded: u64,
    /// Retries that were made.
    pub retries: u64,
    /// Fetches that waited for the response to an identical request.
    pub shared: u64,
    /// Inputs that came too late to matter.
    pub stale_inputs: u64,
    /// Fetches that were submitted.
    pub submitted: u64,
    /// Tokens that were acquired: [`AuthProfile`](crate::AuthProfile).
    #[cfg_attr(feature = "serde", serde(default))]
    pub tokens_acquired: u64,
    /// Calls whose time was before that of an earlier call.
    pub time_regressions: u64,
    /// Fetches that wait for hosts that are down.
    #[cfg_attr(feature = "serde", serde(default))]
    pub waiting_for_hosts: usize,
}

impl EngineStats {
    /// The sums of these counts and those of another engine.
    ///
    /// ```
    /// use fetch_proto::EngineStats;
    /// assert_eq!(EngineStats::default().plus(EngineStats::default()), EngineStats::default());
    /// ```
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            attempts: self.attempts + other.attempts,
            auth_retries: self.auth_retries + other.auth_retries,
            circuits_closed: self.circuits_closed + other.circuits_closed,
            circuits_opened: self.circuits_opened + other.circuits_opened,
            cancelled: self.cancelled + other.cancelled,
            failed: self.failed + other.failed,
            hosts: self.hosts + other.hosts,
            hosts_down: self.hosts_down + other.hosts_down,
            hosts_given_up: self.hosts_given_up + other.hosts_given_up,
            in_flight: self.in_flight + other.in_flight,
            live: self.live + other.live,
            redirects: self.redirects + other.redirects,
            responded: self.responded + other.responded,
            retries: self.retries + other.retries,
            shared: self.shared + other.shared,
            stale_inputs: self.stale_inputs + other.stale_inputs,
            submitted: self.submitted + other.submitted,
            time_regressions: self.time_regressions + other.time_regressions,
            tokens_acquired: self.tokens_acquired + other.tokens_acquired,
            waiting_for_hosts: self.waiting_for_hosts + other.waiting_for_hosts,
        }
    }

    pub(super) fn count_outcome(&mut self, outcome: &FetchOutcome) {
        self.auth_retries += u64::from(outcome.auth_retries);
        self.redirects += u64::from(outcome.redirects);
        self.retries += u64::from(outcome.retries);
        *match outcome.result {
            Ok(_) => &mut self.responded,
            Err(FetchError::Cancelled) => &mut self.cancelled,
            Err(_) => &mut self.failed,
        } += 1;
    }
}

/// One line: the fetches, then the attempts, then the hosts. Counts of zero are left out.
impl fmt::Display for EngineStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} submitted", self.submitted)?;
        for (count, what) in [
            (self.responded, "responded"),
            (self.failed, "failed"),
            (self.cancelled, "cancelled"),
            (self.shared, "shared"),
            (self.live as u64, "live"),
            (self.waiting_for_hosts as u64, "waiting for hosts"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        write_count(f, "; ", self.attempts, "attempt", "attempts")?;
        if self.in_flight > 0 {
            write!(f, ", {} in flight", self.in_flight)?;
        }
        if self.retries > 0 {
            write_count(f, ", ", self.retries, "retry", "retries")?;
        }
        if self.redirects > 0 {
            write_count(f, ", ", self.redirects, "redirect", "redirects")?;
        }
        write_count(f, "; ", self.hosts as u64, "host", "hosts")?;
        for (count, what) in [(self.hosts_down, "down"), (self.hosts_given_up, "given up")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

fn write_count(
    f: &mut fmt::Formatter<'_>,
    before: &str,
    count: u64,
    one: &str,
    many: &str,
) -> fmt::Result {
    write!(f, "{before}{count} {}", if count == 1 { one } else { many })
}

/// The current state of one host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct HostStats {
    /// The state of its breaker, if it has one.
    pub circuit: Option<CircuitState>,
    /// Its attempts in flight.
    #[cfg_attr(feature = "serde", serde(rename = "flying"))]
    pub in_flight: usize,
    /// Its adaptive concurrency limit, if it has one.
    pub limit: Option<usize>,
    /// Its fetches that have not ended.
    pub live: usize,
    /// The time between two starts, if it is paced because it limits the rate of requests.
    pub pace: Option<Duration>,
    /// The end of a pause that its server asked for.
    pub paused_until: Option<Timestamp>,
    /// Its fetches that wait in its queue.
    pub queued: usize,
    /// How many retries and hedges its budget allows now, if it has one.
    pub retries_left: Option<u64>,
}

/// One line: the fetches, then what limits them. Counts of zero are left out.
impl fmt::Display for HostStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} live", self.live)?;
        for (count, what) in [(self.in_flight, "in flight"), (self.queued, "queued")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if let Some(circuit) = self.circuit {
            let state = match circuit {
                CircuitState::Closed => "closed",
                CircuitState::HalfOpen => "half-open",
                CircuitState::Open => "open",
            };
            write!(f, ", breaker {state}")?;
        }
        if let Some(limit) = self.limit {
            write!(f, ", limit {limit}")?;
        }
        if let Some(pace) = self.pace {
            write!(f, ", one start per {}", ShortDuration(pace))?;
        }
        if let Some(until) = self.paused_until {
            let until = ShortDuration(until.since_start());
            write!(f, ", paused until {until} after the start")?;
        }
        if let Some(retries) = self.retries_left {
            write!(f, ", retries left: {retries}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn counts_are_one_line_without_those_that_are_zero() {
        assert_eq!(
            EngineStats::default().to_string(),
            "0 submitted; 0 attempts; 0 hosts"
        );
        let stats = EngineStats {
            attempts: 12,
            failed: 1,
            hosts: 1,
            hosts_down: 1,
            in_flight: 2,
            live: 4,
            responded: 5,
            retries: 1,
            submitted: 10,
            ..EngineStats::default()
        };
        assert_eq!(
            stats.to_string(),
            "10 submitted, 5 responded, 1 failed, 4 live; 12 attempts, 2 in flight, 1 retry; 1 host, 1 down"
        );
    }

    #[test]
    fn every_number_of_two_engines_is_added() {
        let each = |n: u64| EngineStats {
            attempts: n,
            auth_retries: n,
            circuits_closed: n,
            circuits_opened: n,
            cancelled: n,
            failed: n,
            hosts: n as usize,
            hosts_down: n as usize,
            hosts_given_up: n as usize,
            in_flight: n as usize,
            live: n as usize,
            redirects: n,
            responded: n,
            retries: n,
            shared: n,
            stale_inputs: n,
            submitted: n,
            time_regressions: n,
            tokens_acquired: n,
            waiting_for_hosts: n as usize,
        };
        assert_eq!(each(3).plus(each(4)), each(7));
    }
}
