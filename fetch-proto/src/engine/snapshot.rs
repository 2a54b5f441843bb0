//! The state of an engine at one moment, for dashboards.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::state::host_table::HostState;
use super::{Engine, EngineStats, HostStats};
use crate::guards::limiter::ConcurrencyLimiter;
use crate::guards::pacing::HostPacer;

/// The state of an engine at one moment: its counts and queues, its limits, and all its hosts with their
/// breakers and budgets.
///
/// ```
/// use fetch_proto::{Engine, EngineConfig, FetchRequest, Timestamp};
///
/// let now = Timestamp::START;
/// let mut engine = Engine::new(EngineConfig::default().per_host(2), 7, now);
/// engine.submit(FetchRequest::get("http://a.test/".parse()?), now)?;
/// let _attempt = engine.poll(now);
/// let snapshot = engine.snapshot();
/// assert_eq!(&*snapshot.hosts[0].host, "http://a.test");
/// assert_eq!((snapshot.hosts[0].state.in_flight, snapshot.concurrency), (1, 100));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct EngineSnapshot {
    /// How many attempts may be in flight now: as configured, or fewer while this machine is short of
    /// file descriptors.
    pub concurrency: usize,
    /// The hosts with fetches, or with state that must outlive them, in the order of their names.
    pub hosts: Vec<HostSnapshot>,
    /// Fetches that wait in the queues of their hosts. Others that are live are in flight, or wait for a
    /// retry or a token.
    pub queued: usize,
    /// How many retries and hedges the budget over all hosts allows now, if there is one.
    pub retries_left: Option<u64>,
    /// How many fetches may be submitted now.
    pub room: usize,
    /// The counts.
    pub stats: EngineStats,
}

/// The state of one host at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct HostSnapshot {
    /// Scheme, host, and the port unless it is the scheme's default.
    pub host: Box<str>,
    /// Its queue, its attempts in flight, its breaker, its limits.
    pub state: HostStats,
}

impl EngineSnapshot {
    /// This snapshot together with that of another engine, which has other hosts. A budget that both have
    /// in common counts once.
    ///
    /// ```
    /// use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let snapshot = || Engine::new(EngineConfig::default(), 7, Timestamp::START).snapshot();
    /// assert_eq!(snapshot().plus(snapshot()).concurrency, 200);
    /// ```
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        self.hosts.extend(other.hosts);
        self.hosts.sort_unstable_by(|a, b| a.host.cmp(&b.host));
        Self {
            concurrency: self.concurrency.saturating_add(other.concurrency),
            hosts: self.hosts,
            queued: self.queued + other.queued,
            retries_left: self.retries_left.or(other.retries_left),
            room: self.room + other.room,
            stats: self.stats.plus(other.stats),
        }
    }
}

/// One line for the engine, then one for each host.
impl fmt::Display for EngineSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stats)?;
        if self.queued > 0 {
            write!(f, "; {} queued", self.queued)?;
        }
        if let Some(retries) = self.retries_left {
            write!(f, "; retries left: {retries}")?;
        }
        for host in &self.hosts {
            write!(f, "\n{}: {}", host.host, host.state)?;
        }
        Ok(())
    }
}

impl Engine {
    /// The engine's state now: counts, queues, limits, and all hosts with their breakers and budgets. It
    /// takes a time that grows with the number of hosts.
    ///
    /// ```
    /// # use fetch_proto::{Engine, EngineConfig, Timestamp};
    /// let engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert_eq!(engine.snapshot().to_string(), "0 submitted; 0 attempts; 0 hosts");
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> EngineSnapshot {
        let now = self.clock.now();
        let hosts = self.hosts.iter().map(|host| HostSnapshot {
            host: host.key.clone(),
            state: self.stats_of(host),
        });
        let mut hosts: Vec<_> = hosts.collect();
        hosts.sort_unstable_by(|a, b| a.host.cmp(&b.host));
        let tokens = self.retry_budget.tokens();
        EngineSnapshot {
            concurrency: self.concurrency.limit(),
            queued: hosts.iter().map(|host| host.state.queued).sum(),
            hosts,
            retries_left: tokens.map(|tokens| tokens.available_retries(now)),
            room: self.room(),
            stats: self.stats(),
        }
    }

    pub(super) fn stats_of(&self, host: &HostState) -> HostStats {
        let now = self.clock.now();
        let guards = host.guards.as_deref();
        let circuit = guards.and_then(|guards| guards.circuit.as_ref());
        let limiter = guards.and_then(|guards| guards.limiter.as_ref());
        let pacer = guards.and_then(|guards| guards.pacer.as_ref());
        let tokens = guards.and_then(|guards| guards.retry_tokens.as_ref());
        HostStats {
            circuit: circuit.map(|circuit| circuit.state(now)),
            in_flight: host.in_flight,
            limit: limiter.map(ConcurrencyLimiter::limit),
            live: host.live,
            paused_until: host.paused_until.filter(|until| *until > now),
            pace: pacer.and_then(HostPacer::interval),
            queued: host.queued,
            retries_left: tokens.map(|tokens| tokens.available_retries(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::{
        Breaker, EngineConfig, EngineOutput, FailureKind, FetchRequest, Input, RetryBudget,
        Timestamp,
    };

    #[test]
    fn a_snapshot_has_hosts_breakers_budgets_and_queues() {
        let now = Timestamp::START;
        let config = EngineConfig::default()
            .per_host(1)
            .window(9)
            .breaker(Breaker::default().consecutive(1))
            .budget(RetryBudget::CAPACITY);
        let mut engine = Engine::new(config, 7, now);
        for url in ["http://b.test/1", "http://b.test/2", "http://a.test/"] {
            let request = FetchRequest::get(url.parse().unwrap());
            engine.submit(request, now).unwrap();
        }
        let EngineOutput::Start(attempt) = engine.poll(now) else {
            panic!("nothing starts");
        };
        engine.handle(attempt.id, Input::End(Err(FailureKind::Connect)), now);
        while !matches!(engine.poll(now), EngineOutput::Idle(_)) {}
        let snapshot = engine.snapshot();
        assert_eq!((snapshot.queued, snapshot.room), (1, 6));
        assert_eq!(snapshot.retries_left, Some(99));
        let text = snapshot.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "3 submitted, 3 live; 2 attempts, 1 in flight; 2 hosts; 1 queued; retries left: 99",
                "http://a.test: 1 live, 1 in flight, breaker closed",
                "http://b.test: 2 live, 1 queued, breaker open",
            ]
        );
    }
}
