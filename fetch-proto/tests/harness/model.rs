//! The state of fetches and attempts as seen from outside, and the invariants that hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fetch_proto::{
    Attempt, AttemptId, CircuitState, CompleteResponse, Engine, EngineOutput, FetchError, FetchId,
    FetchOutcome, FetchRequest, HeadSummary, IdleState, Method, RequestBodyKind, Timestamp,
};

use super::PolicySet;
use super::rates::RateChecker;

/// An unfinished fetch.
#[derive(Clone, Debug)]
struct LiveFetch {
    cancelled: bool,
    hedged: bool,
    number: u16,
}

/// The state of an attempt in flight.
#[derive(Clone, Debug)]
struct AttemptState {
    started: Timestamp,
    decided: bool,
    origin: String,
    status: Option<u16>,
}

#[derive(Clone, Debug)]
pub(super) struct EngineModel {
    pub(super) done: u64,
    pub(super) submitted: u64,
    /// Whether faults may be injected. If so, attempts that were not reported may be in flight.
    chaos: bool,
    closed: bool,
    in_flight: BTreeMap<AttemptId, AttemptState>,
    /// Attempts that have ended.
    ended_ids: BTreeSet<AttemptId>,
    held: bool,
    /// Attempts that have ended since the engine was last idle.
    recently_ended: BTreeMap<AttemptId, AttemptState>,
    live: BTreeMap<FetchId, LiveFetch>,
    now: Timestamp,
    rates: RateChecker,
    policies: PolicySet,
    /// The result that was reported to the followers of each fetch.
    shared: BTreeMap<FetchId, Result<CompleteResponse, FetchError>>,
}

impl EngineModel {
    pub(super) fn new(policies: PolicySet) -> Self {
        Self {
            done: 0,
            submitted: 0,
            chaos: policies.has_chaos(),
            closed: false,
            in_flight: BTreeMap::new(),
            ended_ids: BTreeSet::new(),
            held: false,
            recently_ended: BTreeMap::new(),
            live: BTreeMap::new(),
            now: Timestamp::START,
            rates: RateChecker::default(),
            policies,
            shared: BTreeMap::new(),
        }
    }

    pub(super) fn in_flight(&self) -> Vec<AttemptId> {
        self.in_flight.keys().copied().collect()
    }

    pub(super) fn live(&self) -> Vec<FetchId> {
        self.live.keys().copied().collect()
    }

    pub(super) fn ended_ids(&self) -> Vec<AttemptId> {
        let over = |id: &&AttemptId| !self.in_flight.contains_key(id);
        self.ended_ids.iter().filter(over).copied().collect()
    }

    pub(super) fn has_head(&self, id: AttemptId) -> bool {
        self.in_flight[&id].status.is_some()
    }

    pub(super) fn advance_to(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.live
            .values_mut()
            .for_each(|live| live.cancelled = true);
    }

    pub(super) fn cancel(&mut self, id: FetchId) {
        if let Some(live) = self.live.get_mut(&id) {
            live.cancelled = true;
        }
    }

    pub(super) fn configure(&mut self, policies: PolicySet) {
        self.policies = policies;
        self.chaos |= policies.has_chaos();
        self.rates.forget_rates();
    }

    pub(super) fn restore(&mut self, now: Timestamp) {
        self.ended_ids
            .extend(std::mem::take(&mut self.in_flight).into_keys());
        self.recently_ended.clear();
        self.now = now;
        self.rates = RateChecker::default();
    }

    pub(super) fn fetch_submitted(&mut self, id: FetchId, request: &FetchRequest) {
        let safe = request.method != Method::Post && request.body != RequestBodyKind::Once;
        let hedged = safe && self.policies.hedge().is_some();
        let live = LiveFetch {
            cancelled: false,
            hedged,
            number: 0,
        };
        assert!(self.live.insert(id, live).is_none(), "{id} is new");
        self.submitted += 1;
    }

    pub(super) fn head_received(&mut self, id: AttemptId, head: &HeadSummary) {
        let attempt = self.in_flight.get_mut(&id).expect("it is in flight");
        attempt.status = Some(head.status);
        if let (429, Some(rest)) = (head.status, head.retry_after) {
            self.rates.record_pause(&attempt.origin, self.now + rest);
        }
    }

    pub(super) fn attempt_ended(&mut self, id: AttemptId) {
        let attempt = self.in_flight.remove(&id).expect("it is in flight");
        self.ended_ids.insert(id);
        self.recently_ended.insert(id, attempt);
    }

    /// Checks one output.
    pub(super) fn check_output(&mut self, output: &EngineOutput, engine: &Engine) {
        match output {
            EngineOutput::Abort(id) => {
                assert!(
                    self.in_flight.remove(id).is_some(),
                    "{id} is aborted, but not in flight"
                );
                self.ended_ids.insert(*id);
            }
            EngineOutput::Accept(id) | EngineOutput::Discard(id) => self.check_decision(*id),
            EngineOutput::Done(id, outcome) => self.check_outcome(*id, outcome),
            EngineOutput::Event(..) => {
                assert!(self.policies.has(PolicySet::EVENTS) || self.submitted > 0);
            }
            EngineOutput::Start(attempt) => self.check_start(attempt, engine),
            _ => {}
        }
    }

    fn check_decision(&mut self, id: AttemptId) {
        let attempt = self
            .in_flight
            .get_mut(&id)
            .or_else(|| self.recently_ended.get_mut(&id));
        let attempt = attempt.unwrap_or_else(|| panic!("{id} is decided, but not in flight"));
        assert!(attempt.status.is_some(), "{id} is decided before its head");
        assert!(
            !std::mem::replace(&mut attempt.decided, true),
            "{id} is decided twice"
        );
    }

    fn check_outcome(&mut self, id: FetchId, outcome: &FetchOutcome) {
        assert!(
            self.live.remove(&id).is_some(),
            "{id} is done, but not live"
        );
        let flying = self.in_flight.keys().any(|attempt| attempt.fetch == id);
        assert!(!flying, "{id} is done, but has an attempt in flight");
        self.done += 1;
        if let Some(leader) = outcome.shared_with {
            let reported = self.shared.insert(leader, outcome.result);
            assert!(
                reported.is_none_or(|reported| reported == outcome.result),
                "all share one result"
            );
        }
        if let Some(reported) = self.shared.remove(&id) {
            assert_eq!(
                reported, outcome.result,
                "a fetch that shares {id} got another result"
            );
        }
        let times = &outcome.timings;
        assert!(times.submitted <= times.ended, "time never runs back");
        assert!(
            times
                .started
                .is_none_or(|at| times.submitted <= at && at <= times.ended)
        );
        let waits = times.queued + times.backoff;
        assert!(
            waits <= times.ended.saturating_since(times.submitted),
            "{times:?}"
        );
        for report in &outcome.attempts {
            assert!(
                report.timings.started <= report.timings.ended,
                "time never runs back"
            );
        }
        let most = if outcome.used_fallback { 4 } else { 2 };
        assert!(outcome.retries <= most, "{} retries", outcome.retries);
    }

    fn check_start(&mut self, attempt: &Attempt, engine: &Engine) {
        let id = attempt.id;
        let live = self.live.get_mut(&id.fetch);
        let live = live.unwrap_or_else(|| panic!("{id} starts, but its fetch has ended"));
        assert!(
            !live.cancelled && !self.closed,
            "{id} starts after it was cancelled"
        );
        let chaos = self.chaos;
        assert!(
            chaos || live.number < id.number(),
            "attempts are numbered in order"
        );
        live.number = live.number.max(id.number());
        let origin = attempt.url.origin().ascii_serialization();
        if !chaos {
            assert!(!self.held, "{id} starts while the engine is held");
            self.check_hedge(id);
            self.check_limits(&origin, engine);
            self.rates.check_start(&origin, self.policies, self.now);
        }
        let started = self.now;
        let attempt = AttemptState {
            started,
            decided: false,
            origin,
            status: None,
        };
        assert!(
            self.in_flight.insert(id, attempt).is_none(),
            "{id} starts twice"
        );
    }

    /// A second concurrent attempt of a fetch must be an allowed hedge.
    fn check_hedge(&self, id: AttemptId) {
        let others = self
            .in_flight
            .iter()
            .filter(|(other, _)| other.fetch == id.fetch);
        let others: Vec<_> = others.map(|(_, attempt)| attempt).collect();
        if others.is_empty() {
            return;
        }
        assert!(
            self.live[&id.fetch].hedged,
            "{id} is a hedge, but not allowed"
        );
        assert!(others.len() <= 1, "{id} is one hedge too many");
        let least = self.now.saturating_since(others[0].started);
        assert!(
            least >= Duration::from_millis(50),
            "{id} starts too early for a hedge"
        );
    }

    fn check_limits(&self, origin: &str, engine: &Engine) {
        let total = self.in_flight.len() + 1;
        assert!(
            total <= self.policies.concurrency(),
            "{total} attempts in flight"
        );
        let here = self
            .in_flight
            .values()
            .filter(|attempt| attempt.origin == origin)
            .count()
            + 1;
        assert!(
            here <= self.policies.per_host(),
            "{here} attempts in flight to {origin}"
        );
        let stats = engine.host_stats(origin).expect("its host is known");
        let limit = stats.limit.unwrap_or(usize::MAX);
        assert!(
            here <= limit,
            "{here} of {limit} attempts in flight to {origin}"
        );
        assert_ne!(
            stats.circuit,
            Some(CircuitState::Open),
            "the circuit of {origin} is open"
        );
    }

    /// Checks the state when the engine is idle.
    pub(super) fn check_idle(&mut self, engine: &Engine, idle: &IdleState, now: Timestamp) {
        self.recently_ended.clear();
        assert_eq!(idle.live, self.live.len(), "unfinished fetches");
        assert!(
            self.shared.is_empty(),
            "fetches that share a result end before the fetch that requested it"
        );
        let stats = engine.stats();
        if self.live.is_empty() {
            assert_eq!(
                stats.in_flight, 0,
                "no attempt is in flight without a fetch"
            );
        }
        let waits = !self.live.is_empty() && stats.in_flight == 0 && !self.held;
        assert!(
            !waits || idle.wake.is_some(),
            "the engine sleeps forever: {engine:?}"
        );
        if let Some(wake) = idle.wake.filter(|_| self.now == now) {
            assert!(wake.at > now, "the wake time has passed: {wake:?}");
        }
        self.check_counts(engine);
    }

    fn check_counts(&self, engine: &Engine) {
        let stats = engine.stats();
        let flying = self.in_flight.len();
        assert!(
            flying <= stats.in_flight,
            "{flying} fly, and not {}",
            stats.in_flight
        );
        let mut hosts = BTreeMap::new();
        for attempt in self.in_flight.values() {
            *hosts.entry(&attempt.origin).or_insert(0) += 1;
        }
        for (origin, flying) in hosts {
            let host = engine.host_stats(origin).expect("its host is known");
            assert!(
                flying <= host.in_flight,
                "{flying} fly to {origin}: {host:?}"
            );
            assert!(self.chaos || flying == host.in_flight, "{origin}: {host:?}");
            let left = host.retries_left.unwrap_or(0);
            assert!(left <= 2, "{left} retries are left for {origin}");
        }
        assert!(
            self.chaos || flying == stats.in_flight,
            "{flying}: {stats:?}"
        );
    }
}
