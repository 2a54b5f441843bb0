//! Several engines that divide the hosts among them.

use alloc::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{BodyDelivery, FetchId, Shard};

/// Engines, with the transfers between them.
struct ShardedEngines {
    engines: Vec<Engine>,
    /// Attempts in flight, with the index of their engine.
    in_flight: Vec<(usize, Attempt)>,
    done: Vec<FetchOutcome>,
}

impl ShardedEngines {
    fn new(count: u32, config: &EngineConfig) -> Self {
        let new = |index| {
            let mut engine = Engine::new(config.clone(), 7, at(0));
            engine.set_shard(Shard { index, count });
            engine
        };
        Self {
            engines: (0..count).map(new).collect(),
            in_flight: Vec::new(),
            done: Vec::new(),
        }
    }

    /// Polls until all are idle.
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
                    EngineOutput::Start(attempt) => self.in_flight.push((i, attempt)),
                    _ => {}
                }
                quiet = 0;
            }
        }
    }

    fn hand_over(&mut self, from: usize, id: FetchId, to: usize, now: Timestamp) {
        let transfer = self.engines[from].export_fetch(id, now).unwrap();
        assert_eq!(transfer.ids().next(), Some(id));
        let (count, ids) = (
            transfer.ids().count(),
            self.engines[to].import_fetch(transfer, now),
        );
        assert_eq!(ids.unwrap().len(), count);
    }

    /// Answers one attempt, with a redirect if `redirect` is a URL.
    fn answer(&mut self, which: usize, redirect: Option<&str>, now: Timestamp) {
        let (i, attempt) = self.in_flight.swap_remove(which % self.in_flight.len());
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

/// The URL of a host that belongs to this engine.
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
fn a_redirect_to_another_engines_host_is_transferred() {
    let mut shards = ShardedEngines::new(2, &only(exact()));
    let (here, there) = (host_of(0, 2), host_of(1, 2));
    shards.engines[0].submit(get(&here), at(0)).unwrap();
    shards.settle(at(0));
    shards.answer(0, Some(&there), at(5));
    let (engine, attempt) = &shards.in_flight[0];
    assert_eq!((*engine, attempt.url.as_str()), (1, &*there));
    assert_eq!(shards.engines[0].stats().live, 0);
    assert_eq!(shards.engines[0].stats().hosts, 0);
    shards.answer(0, None, at(9));
    let outcome = &shards.done[0];
    assert_eq!((outcome.redirects, outcome.attempts.len()), (1, 2));
    assert_eq!(outcome.timings.submitted, at(0));
}

#[test]
fn a_fetch_submitted_to_the_wrong_engine_is_transferred() {
    let mut shards = ShardedEngines::new(2, &only(exact()));
    shards.engines[0]
        .submit(get(&host_of(1, 2)), at(0))
        .unwrap();
    shards.settle(at(0));
    assert_eq!(shards.in_flight[0].0, 1);
}

#[test]
fn followers_are_transferred_with_their_leader() {
    let mut shards = ShardedEngines::new(2, &only(exact()));
    let (here, there) = (host_of(0, 2), host_of(1, 2));
    for _ in 0..3 {
        shards.engines[0].submit(shared(&here), at(0)).unwrap();
    }
    shards.settle(at(0));
    shards.answer(0, Some(&there), at(5));
    // A later identical request is sent.
    shards.engines[0].submit(shared(&here), at(5)).unwrap();
    shards.settle(at(5));
    assert_eq!(shards.in_flight.len(), 2);
    shards.answer(0, None, at(9));
    assert_eq!(shards.done.len(), 3);
    assert!(shards.done.iter().all(FetchOutcome::is_success));
    let led = shards.done.iter().filter(|one| one.shared_with.is_some());
    assert_eq!(led.count(), 2);
    assert_eq!(shards.engines[1].stats().live, 0);
}

#[test]
fn the_total_limit_continues_after_a_transfer() {
    let timeouts = crate::Timeouts {
        total: Some(SECOND),
        ..crate::Timeouts::DEFAULT
    };
    let mut shards = ShardedEngines::new(2, &only(exact().timeouts(timeouts)));
    shards.engines[0]
        .submit(get(&host_of(0, 2)), at(0))
        .unwrap();
    shards.settle(at(0));
    shards.answer(0, Some(&host_of(1, 2)), at(900));
    shards.settle(at(1000));
    assert!(matches!(
        shards.done[0].result,
        Err(FetchError::TimedOut(_))
    ));
}

#[test]
fn balanced_targets_belong_to_the_first_engine() {
    let (target, endpoint) = (host_of(1, 2), host_of(0, 2));
    let served = BalancedTarget::new([TargetEndpoint::new(endpoint.parse().unwrap())]);
    let config = only(exact()).target(target.parse().unwrap(), served);
    let mut shards = ShardedEngines::new(2, &config.unwrap());
    shards.engines[1].submit(get(&target), at(0)).unwrap();
    shards.settle(at(0));
    assert_eq!(shards.in_flight[0].0, 0);
}

proptest! {
    /// No host exceeds its limit, whichever engines have fetches for it, and each fetch has one outcome.
    #[test]
    fn limits_per_host_hold_over_all_engines(
        count in 1u32..4,
        limit in 1usize..3,
        fetches in prop::collection::vec((0u32..5, any::<bool>()), 1..30),
        answers in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(0u32..5)), 0..60),
    ) {
        let url = |host: u32| format!("http://h{host}.test/");
        let mut shards = ShardedEngines::new(count, &only(exact()).per_host(limit));
        for (n, (host, shares)) in fetches.iter().enumerate() {
            let request = if *shares { shared(&url(*host)) } else { get(&url(*host)) };
            // Many of them go to the wrong engine.
            shards.engines[n % count as usize].submit(request, at(0)).unwrap();
        }
        shards.settle(at(0));
        let mut answers = answers.into_iter();
        let mut now = 0;
        while !shards.in_flight.is_empty() {
            let mut hosts = BTreeMap::<_, usize>::new();
            for (_, attempt) in &shards.in_flight {
                *hosts.entry(attempt.url.host_str().unwrap()).or_default() += 1;
            }
            prop_assert!(hosts.values().all(|in_flight| *in_flight <= limit), "{hosts:?}");
            now += 1;
            let (which, redirect) = match answers.next() {
                Some((which, redirect)) => (which.index(shards.in_flight.len()), redirect),
                None => (0, None),
            };
            shards.answer(which, redirect.map(url).as_deref(), at(now));
        }
        prop_assert_eq!(shards.done.len(), fetches.len());
        prop_assert!(shards.engines.iter().all(|engine| engine.stats().live == 0));
    }
}
