//! What is known of fetches and attempts from the outside, and what must be true of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fetch_proto::{
    Attempt, AttemptId, CircuitState, CompleteResponse, Engine, FetchError, FetchId, FetchOutcome,
    FetchRequest, HeadSummary, Idle, Method, Output, RequestBodyKind, Timestamp,
};

use super::Policies;
use super::pace::Pace;

/// A fetch that is not done.
#[derive(Clone, Debug)]
struct Live {
    cancelled: bool,
    hedged: bool,
    number: u16,
}

/// An attempt that was started and has not ended.
#[derive(Clone, Debug)]
struct Flight {
    began: Timestamp,
    judged: bool,
    origin: String,
    status: Option<u16>,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) done: u64,
    pub(super) submitted: u64,
    /// Whether any fetch may have faults on purpose: then some fly of which nothing is told.
    chaos: bool,
    closed: bool,
    flights: BTreeMap<AttemptId, Flight>,
    /// Attempts that are over.
    former: BTreeSet<AttemptId>,
    held: bool,
    /// Attempts that have ended since the engine was last idle, and had a head.
    landed: BTreeMap<AttemptId, Flight>,
    live: BTreeMap<FetchId, Live>,
    now: Timestamp,
    pace: Pace,
    policies: Policies,
    /// What those that waited for a fetch were told its result is.
    shared: BTreeMap<FetchId, Result<CompleteResponse, FetchError>>,
}

impl Model {
    pub(super) fn new(policies: Policies) -> Self {
        Self {
            done: 0,
            submitted: 0,
            chaos: policies.has_chaos(),
            closed: false,
            flights: BTreeMap::new(),
            former: BTreeSet::new(),
            held: false,
            landed: BTreeMap::new(),
            live: BTreeMap::new(),
            now: Timestamp::START,
            pace: Pace::default(),
            policies,
            shared: BTreeMap::new(),
        }
    }

    pub(super) fn flights(&self) -> Vec<AttemptId> {
        self.flights.keys().copied().collect()
    }

    pub(super) fn live(&self) -> Vec<FetchId> {
        self.live.keys().copied().collect()
    }

    pub(super) fn former(&self) -> Vec<AttemptId> {
        let over = |id: &&AttemptId| !self.flights.contains_key(id);
        self.former.iter().filter(over).copied().collect()
    }

    pub(super) fn has_head(&self, id: AttemptId) -> bool {
        self.flights[&id].status.is_some()
    }

    pub(super) fn time(&mut self, now: Timestamp) {
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

    pub(super) fn configure(&mut self, policies: Policies) {
        self.policies = policies;
        self.chaos |= policies.has_chaos();
        self.pace.forget_rates();
    }

    pub(super) fn restored(&mut self, now: Timestamp) {
        self.former
            .extend(std::mem::take(&mut self.flights).into_keys());
        self.landed.clear();
        self.now = now;
        self.pace = Pace::default();
    }

    pub(super) fn submitted(&mut self, id: FetchId, request: &FetchRequest) {
        let safe = request.method != Method::Post && request.body != RequestBodyKind::Once;
        let hedged = safe && self.policies.hedge().is_some();
        let live = Live {
            cancelled: false,
            hedged,
            number: 0,
        };
        assert!(self.live.insert(id, live).is_none(), "{id} is new");
        self.submitted += 1;
    }

    pub(super) fn answered(&mut self, id: AttemptId, head: &HeadSummary) {
        let flight = self.flights.get_mut(&id).expect("it is in flight");
        flight.status = Some(head.status);
        if let (429, Some(rest)) = (head.status, head.retry_after) {
            self.pace.rest(&flight.origin, self.now + rest);
        }
    }

    pub(super) fn ended(&mut self, id: AttemptId) {
        let flight = self.flights.remove(&id).expect("it is in flight");
        self.former.insert(id);
        self.landed.insert(id, flight);
    }

    /// The engine said something.
    pub(super) fn told(&mut self, output: &Output, engine: &Engine) {
        match output {
            Output::Abort(id) => {
                assert!(
                    self.flights.remove(id).is_some(),
                    "{id} is aborted, but does not fly"
                );
                self.former.insert(*id);
            }
            Output::Accept(id) | Output::Discard(id) => self.judged(*id),
            Output::Done(id, outcome) => self.is_done(*id, outcome),
            Output::Event(..) => assert!(self.policies.has(Policies::EVENTS) || self.submitted > 0),
            Output::Start(attempt) => self.started(attempt, engine),
            _ => {}
        }
    }

    fn judged(&mut self, id: AttemptId) {
        let flight = self
            .flights
            .get_mut(&id)
            .or_else(|| self.landed.get_mut(&id));
        let flight = flight.unwrap_or_else(|| panic!("{id} is judged, but does not fly"));
        assert!(
            flight.status.is_some(),
            "{id} is judged before it was answered"
        );
        assert!(
            !std::mem::replace(&mut flight.judged, true),
            "{id} is judged twice"
        );
    }

    fn is_done(&mut self, id: FetchId, outcome: &FetchOutcome) {
        assert!(
            self.live.remove(&id).is_some(),
            "{id} is done, but not live"
        );
        let flying = self.flights.keys().any(|attempt| attempt.fetch == id);
        assert!(!flying, "{id} is done, but flies");
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

    fn started(&mut self, attempt: &Attempt, engine: &Engine) {
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
            self.pace.start(&origin, self.policies, self.now);
        }
        let began = self.now;
        let flight = Flight {
            began,
            judged: false,
            origin,
            status: None,
        };
        assert!(
            self.flights.insert(id, flight).is_none(),
            "{id} starts twice"
        );
    }

    /// A second attempt of a fetch at the same time must be a hedge, and allowed.
    fn check_race(&self, id: AttemptId) {
        let rivals = self
            .flights
            .iter()
            .filter(|(rival, _)| rival.fetch == id.fetch);
        let rivals: Vec<_> = rivals.map(|(_, flight)| flight).collect();
        if rivals.is_empty() {
            return;
        }
        assert!(self.live[&id.fetch].hedged, "{id} races, but may not");
        assert!(rivals.len() <= 1, "{id} is one racer too many");
        let least = self.now.saturating_since(rivals[0].began);
        assert!(least >= Duration::from_millis(50), "{id} races too early");
    }

    fn check_limits(&self, origin: &str, engine: &Engine) {
        let total = self.flights.len() + 1;
        assert!(total <= self.policies.concurrency(), "{total} fly at once");
        let here = self
            .flights
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
    pub(super) fn idle(&mut self, engine: &Engine, idle: &Idle, now: Timestamp) {
        self.landed.clear();
        assert_eq!(idle.live, self.live.len(), "fetches that are not over");
        assert!(
            self.shared.is_empty(),
            "who shares a result is told before who asked for it"
        );
        let stats = engine.stats();
        if self.live.is_empty() {
            assert_eq!(stats.flying, 0, "nothing flies without a fetch");
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
        let flying = self.flights.len();
        assert!(
            flying <= stats.flying,
            "{flying} fly, and not {}",
            stats.flying
        );
        let mut hosts = BTreeMap::new();
        for flight in self.flights.values() {
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
