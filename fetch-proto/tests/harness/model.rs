//! What is known of fetches and attempts from the outside, and what must be true of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fetch_proto::{
    Attempt, AttemptId, CircuitState, CompleteResponse, Engine, FetchError, FetchId, FetchOutcome,
    FetchRequest, HeadSummary, Idle, Method, Output, RequestBodyKind, Timestamp,
};

use super::PolicySet;
use super::rates::RateChecker;

/// A fetch that is not done.
#[derive(Clone, Debug)]
struct LiveFetch {
    cancelled: bool,
    hedged: bool,
    number: u16,
}

/// An attempt that was started and has not ended.
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
    /// Whether any fetch may have faults on purpose: then some fly of which nothing is told.
    chaos: bool,
    closed: bool,
    in_flight: BTreeMap<AttemptId, AttemptState>,
    /// Attempts that are over.
    ended_ids: BTreeSet<AttemptId>,
    held: bool,
    /// Attempts that have ended since the engine was last idle, and had a head.
    recently_ended: BTreeMap<AttemptId, AttemptState>,
    live: BTreeMap<FetchId, LiveFetch>,
    now: Timestamp,
    rates: RateChecker,
    policies: PolicySet,
    /// What those that waited for a fetch were told its result is.
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
        let flight = self.in_flight.get_mut(&id).expect("it is in flight");
        flight.status = Some(head.status);
        if let (429, Some(rest)) = (head.status, head.retry_after) {
            self.rates.rest(&flight.origin, self.now + rest);
        }
    }

    pub(super) fn attempt_ended(&mut self, id: AttemptId) {
        let flight = self.in_flight.remove(&id).expect("it is in flight");
        self.ended_ids.insert(id);
        self.recently_ended.insert(id, flight);
    }

    /// The engine outputs something.
    pub(super) fn check_output(&mut self, output: &Output, engine: &Engine) {
        match output {
            Output::Abort(id) => {
                assert!(
                    self.in_flight.remove(id).is_some(),
                    "{id} is aborted, but does not fly"
                );
                self.ended_ids.insert(*id);
            }
            Output::Accept(id) | Output::Discard(id) => self.check_decision(*id),
            Output::Done(id, outcome) => self.check_outcome(*id, outcome),
            Output::Event(..) => {
                assert!(self.policies.has(PolicySet::EVENTS) || self.submitted > 0)
            }
            Output::Start(attempt) => self.check_start(attempt, engine),
            _ => {}
        }
    }

    fn check_decision(&mut self, id: AttemptId) {
        let flight = self
            .in_flight
            .get_mut(&id)
            .or_else(|| self.recently_ended.get_mut(&id));
        let flight = flight.unwrap_or_else(|| panic!("{id} is decided, but does not fly"));
        assert!(
            flight.status.is_some(),
            "{id} is decided before it was answered"
        );
        assert!(
            !std::mem::replace(&mut flight.decided, true),
            "{id} is decided twice"
        );
    }

    fn check_outcome(&mut self, id: FetchId, outcome: &FetchOutcome) {
        assert!(
            self.live.remove(&id).is_some(),
            "{id} is done, but not live"
        );
        let flying = self.in_flight.keys().any(|attempt| attempt.fetch == id);
        assert!(!flying, "{id} is done, but has_attempts");
        self.done += 1;
        if let Some(leader) = outcome.shared_with {
            let told = self.shared.insert(leader, outcome.result);
            assert!(
                told.is_none_or(|told| told == outcome.result),
                "all share one result"
            );
        }
        if let Some(told) = self.shared.remove(&id) {
            assert_eq!(
                told, outcome.result,
                "who waited for {id} got another result"
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
        let live = live.unwrap_or_else(|| panic!("{id} starts, but its fetch is over"));
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
            self.check_race(id);
            self.check_limits(&origin, engine);
            self.rates.start(&origin, self.policies, self.now);
        }
        let started = self.now;
        let flight = AttemptState {
            started,
            decided: false,
            origin,
            status: None,
        };
        assert!(
            self.in_flight.insert(id, flight).is_none(),
            "{id} starts twice"
        );
    }

    /// A second attempt of a fetch at the same time must be a hedge, and allowed.
    fn check_race(&self, id: AttemptId) {
        let rivals = self
            .in_flight
            .iter()
            .filter(|(rival, _)| rival.fetch == id.fetch);
        let rivals: Vec<_> = rivals.map(|(_, flight)| flight).collect();
        if rivals.is_empty() {
            return;
        }
        assert!(self.live[&id.fetch].hedged, "{id} races, but may not");
        assert!(rivals.len() <= 1, "{id} is one racer too many");
        let least = self.now.saturating_since(rivals[0].started);
        assert!(least >= Duration::from_millis(50), "{id} races too early");
    }

    fn check_limits(&self, origin: &str, engine: &Engine) {
        let total = self.in_flight.len() + 1;
        assert!(total <= self.policies.concurrency(), "{total} fly at once");
        let here = self
            .in_flight
            .values()
            .filter(|flight| flight.origin == origin)
            .count()
            + 1;
        assert!(
            here <= self.policies.per_host(),
            "{here} fly at once to {origin}"
        );
        let stats = engine.host_stats(origin).expect("its host is known");
        let learned = stats.limit.unwrap_or(usize::MAX);
        assert!(
            here <= learned,
            "{here} of {learned} fly at once to {origin}"
        );
        assert_ne!(
            stats.circuit,
            Some(CircuitState::Open),
            "the circuit of {origin} is open"
        );
    }

    /// The engine has nothing more to say.
    pub(super) fn check_idle(&mut self, engine: &Engine, idle: &Idle, now: Timestamp) {
        self.recently_ended.clear();
        assert_eq!(idle.live, self.live.len(), "fetches that are not over");
        assert!(
            self.shared.is_empty(),
            "who shares a result is told before who asked for it"
        );
        let stats = engine.stats();
        if self.live.is_empty() {
            assert_eq!(stats.flying, 0, "nothing has_attempts without a fetch");
        }
        let waits = !self.live.is_empty() && stats.flying == 0 && !self.held;
        assert!(
            !waits || idle.wake.is_some(),
            "it sleeps for ever: {engine:?}"
        );
        if let Some(wake) = idle.wake.filter(|_| self.now == now) {
            assert!(wake.at > now, "it wants to be woken at once: {wake:?}");
        }
        self.check_counts(engine);
    }

    fn check_counts(&self, engine: &Engine) {
        let stats = engine.stats();
        let flying = self.in_flight.len();
        assert!(
            flying <= stats.flying,
            "{flying} fly, and not {}",
            stats.flying
        );
        let mut hosts = BTreeMap::new();
        for flight in self.in_flight.values() {
            *hosts.entry(&flight.origin).or_insert(0) += 1;
        }
        for (origin, flying) in hosts {
            let host = engine.host_stats(origin).expect("its host is known");
            assert!(flying <= host.flying, "{flying} fly to {origin}: {host:?}");
            assert!(self.chaos || flying == host.flying, "{origin}: {host:?}");
            let left = host.retries_left.unwrap_or(0);
            assert!(left <= 2, "{left} retries are left for {origin}");
        }
        assert!(self.chaos || flying == stats.flying, "{flying}: {stats:?}");
    }
}
