//! Several engines that have the hosts among them.

use alloc::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{BodyDelivery, FetchId, Shard};

/// Engines between which fetches go over as they ask to.
struct Parts {
    engines: Vec<Engine>,
    /// What was begun and has not ended: by which engine.
    flying: Vec<(usize, Attempt)>,
    done: Vec<FetchOutcome>,
}

impl Parts {
    fn new(count: u32, config: &EngineConfig) -> Self {
        let part = |index| {
            let mut engine = Engine::new(config.clone(), 7, at(0));
            engine.set_shard(Shard { index, count });
            engine
        };
        Self {
            engines: (0..count).map(part).collect(),
            flying: Vec::new(),
            done: Vec::new(),
        }
    }

    /// Until all are idle.
    fn settle(&mut self, now: Timestamp) {
        let mut quiet = 0;
        let mut i = 0;
        while quiet <= self.engines.len() {
            quiet += 1;
            i = (i + 1) % self.engines.len();
            loop {
                match self.engines[i].poll(now) {
                    EngineOutput::Idle(_) => break,
                    EngineOutput::Transfer { id, to } => self.hand_over(i, id, to as usize, now),
                    EngineOutput::Done(_, outcome) => self.done.push(outcome),
                    EngineOutput::Start(attempt) => self.flying.push((i, attempt)),
                    _ => {}
                }
                quiet = 0;
            }
        }
    }

    fn hand_over(&mut self, from: usize, id: FetchId, to: usize, now: Timestamp) {
        let moved = self.engines[from].export_fetch(id, now).unwrap();
        assert_eq!(moved.ids().next(), Some(id));
        let (came, ids) = (
            moved.ids().count(),
            self.engines[to].import_fetch(moved, now),
        );
        assert_eq!(ids.unwrap().len(), came);
    }

    /// Answers one attempt, by a redirect if there is a target.
    fn answer(&mut self, which: usize, redirect: Option<&str>, now: Timestamp) {
        let (i, attempt) = self.flying.swap_remove(which % self.flying.len());
        let head = match redirect {
            None => HeadSummary::status(200),
            Some(to) => HeadSummary {
                location: Some(to.into()),
                ..HeadSummary::status(302)
            },
        };
        self.engines[i].handle(attempt.id, Input::Head(head), now);
        self.engines[i].handle(attempt.id, Input::End(Ok(())), now);
        self.settle(now);
    }
}

/// The host of that name that is this engine's.
fn host_of(engine: u32, of: u32) -> alloc::string::String {
    let names = (0..).map(|n| format!("http://h{n}.test/"));
    let mut own = names.filter(|name| Shard::owner_of(&name.parse().unwrap(), of) == engine);
    own.next().unwrap()
}

fn shared(url: &str) -> FetchRequest {
    FetchRequest {
        delivery: BodyDelivery::Buffered,
        share: Some(0),
        ..get(url)
    }
}

#[test]
fn a_redirect_to_anothers_host_goes_on_there() {
    let mut parts = Parts::new(2, &only(exact()));
    let (here, there) = (host_of(0, 2), host_of(1, 2));
    parts.engines[0].submit(get(&here), at(0)).unwrap();
    parts.settle(at(0));
    parts.answer(0, Some(&there), at(5));
    let (engine, attempt) = &parts.flying[0];
    assert_eq!((*engine, attempt.url.as_str()), (1, &*there));
    assert_eq!(parts.engines[0].stats().live, 0);
    assert_eq!(parts.engines[0].stats().hosts, 0);
    parts.answer(0, None, at(9));
    let outcome = &parts.done[0];
    assert_eq!((outcome.redirects, outcome.attempts.len()), (1, 2));
    assert_eq!(outcome.timings.submitted, at(0));
}

#[test]
fn a_fetch_that_was_given_to_the_wrong_engine_goes_to_the_right_one() {
    let mut parts = Parts::new(2, &only(exact()));
    parts.engines[0].submit(get(&host_of(1, 2)), at(0)).unwrap();
    parts.settle(at(0));
    assert_eq!(parts.flying[0].0, 1);
}

#[test]
fn those_that_wait_for_its_response_go_with_it() {
    let mut parts = Parts::new(2, &only(exact()));
    let (here, there) = (host_of(0, 2), host_of(1, 2));
    for _ in 0..3 {
        parts.engines[0].submit(shared(&here), at(0)).unwrap();
    }
    parts.settle(at(0));
    parts.answer(0, Some(&there), at(5));
    // Who comes later asks anew.
    parts.engines[0].submit(shared(&here), at(5)).unwrap();
    parts.settle(at(5));
    assert_eq!(parts.flying.len(), 2);
    parts.answer(0, None, at(9));
    assert_eq!(parts.done.len(), 3);
    assert!(parts.done.iter().all(FetchOutcome::is_success));
    let led = parts.done.iter().filter(|one| one.shared_with.is_some());
    assert_eq!(led.count(), 2);
    assert_eq!(parts.engines[1].stats().live, 0);
}

#[test]
fn its_total_limit_runs_on() {
    let timeouts = crate::Timeouts {
        total: Some(SECOND),
        ..crate::Timeouts::DEFAULT
    };
    let mut parts = Parts::new(2, &only(exact().timeouts(timeouts)));
    parts.engines[0].submit(get(&host_of(0, 2)), at(0)).unwrap();
    parts.settle(at(0));
    parts.answer(0, Some(&host_of(1, 2)), at(900));
    parts.settle(at(1000));
    assert!(matches!(parts.done[0].result, Err(FetchError::TimedOut(_))));
}

#[test]
fn all_that_is_balanced_is_one_engines() {
    let (target, endpoint) = (host_of(1, 2), host_of(0, 2));
    let served = BalancedTarget::new([TargetEndpoint::new(endpoint.parse().unwrap())]);
    let config = only(exact()).target(target.parse().unwrap(), served);
    let mut parts = Parts::new(2, &config.unwrap());
    parts.engines[1].submit(get(&target), at(0)).unwrap();
    parts.settle(at(0));
    assert_eq!(parts.flying[0].0, 0);
}

proptest! {
    /// No host has more than its limit, whoever sends there, and each fetch has one outcome.
    #[test]
    fn limits_per_host_hold_over_all_engines(
        count in 1u32..4,
        limit in 1usize..3,
        fetches in prop::collection::vec((0u32..5, any::<bool>()), 1..30),
        answers in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(0u32..5)), 0..60),
    ) {
        let url = |host: u32| format!("http://h{host}.test/");
        let mut parts = Parts::new(count, &only(exact()).per_host(limit));
        for (n, (host, shares)) in fetches.iter().enumerate() {
            let request = if *shares { shared(&url(*host)) } else { get(&url(*host)) };
            // Half of them to the wrong engine.
            parts.engines[n % count as usize].submit(request, at(0)).unwrap();
        }
        parts.settle(at(0));
        let mut answers = answers.into_iter();
        let mut now = 0;
        while !parts.flying.is_empty() {
            let mut hosts = BTreeMap::<_, usize>::new();
            for (_, attempt) in &parts.flying {
                *hosts.entry(attempt.url.host_str().unwrap()).or_default() += 1;
            }
            prop_assert!(hosts.values().all(|flying| *flying <= limit), "{hosts:?}");
            now += 1;
            let (which, redirect) = match answers.next() {
                Some((which, redirect)) => (which.index(parts.flying.len()), redirect),
                None => (0, None),
            };
            parts.answer(which, redirect.map(url).as_deref(), at(now));
        }
        prop_assert_eq!(parts.done.len(), fetches.len());
        prop_assert!(parts.engines.iter().all(|engine| engine.stats().live == 0));
    }
}
