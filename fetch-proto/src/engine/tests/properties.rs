//! Invariants of the engine over random and simulated runs.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::{at, get};
use crate::testing::{ServerModel, Simulation};
use crate::{
    Attempt, Backoff, Engine, EngineConfig, EngineOutput, FailureKind, HeadSummary, Input, Policy,
    PolicyRules, Timeouts,
};

#[test]
fn a_million_fetches_are_simulated_with_one_outcome_each() {
    let count = if cfg!(debug_assertions) {
        100_000
    } else {
        1_000_000
    };
    let urls = (0..count).map(|n| format!("http://{}.test/{n}", n % 100));
    let server = ServerModel::default().unavailable(20).resets(20).stalls(10);
    let config = EngineConfig::default().per_host(8);
    let mut seen = alloc::vec![false; count];
    let summary = Simulation::new(config, 1)
        .everywhere(server)
        .run_with(urls, |outcome, _| {
            let slot = &mut seen[usize::try_from(outcome.tag).unwrap()];
            assert!(
                !core::mem::replace(slot, true),
                "two outcomes for {}",
                outcome.tag
            );
        });
    assert!(seen.into_iter().all(|seen| seen));
    assert!(summary.max_in_flight <= 100 && summary.max_in_flight_per_host <= 8);
    assert_eq!(summary.engine.time_regressions, 0);
}

/// A random site, list and configuration.
fn runs() -> impl Strategy<Value = (EngineConfig, ServerModel, Vec<String>, u64)> {
    let limits = (1usize..20, 0usize..5, 1usize..60, any::<bool>(), 1u64..20);
    let faults = (0u16..400, 0u16..300, 0u16..200, prop::option::of(0u64..90));
    let list = prop::collection::vec((0u8..6, 0u8..4), 0..80);
    (limits, faults, list, any::<u64>()).prop_map(|(limits, faults, list, seed)| {
        let (concurrency, per_host, window, rated, total) = limits;
        let timeouts = Timeouts {
            total: Some(Duration::from_secs(total * 5)),
            ..Timeouts::default()
        };
        let policy = Policy::default()
            .timeouts(timeouts)
            .backoff(Backoff::default());
        let mut config = EngineConfig::default()
            .concurrency(concurrency)
            .per_host(per_host)
            .window(window)
            .rules(PolicyRules::from_policy(policy));
        if rated {
            config = config
                .host_rate("20/s".parse().unwrap())
                .rate("50/s".parse().unwrap());
        }
        let (unavailable, resets, stalls, retry_after) = faults;
        let mut server = ServerModel::default()
            .unavailable(unavailable)
            .resets(resets)
            .stalls(stalls);
        if let Some(seconds) = retry_after {
            server = server.retry_after(Duration::from_secs(seconds));
        }
        let urls = list
            .iter()
            .map(|(host, path)| format!("http://h{host}.test/{path}"))
            .collect();
        (config, server, urls, seed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Each fetch has exactly one outcome, limits are not exceeded, nothing starts after its deadline,
    /// and a driver that sleeps exactly until `wake` always finishes (otherwise the simulation panics).
    #[test]
    fn every_run_has_one_outcome_per_fetch_within_all_limits((config, server, urls, seed) in runs()) {
        let limit = config.concurrency_limit();
        let per_host = config.per_host.map_or(usize::MAX, core::num::NonZeroUsize::get);
        let total = config.rules.policy(&crate::Method::Get, &"http://h0.test/".parse().unwrap())
            .timeouts.total.unwrap();
        let mut seen = alloc::vec![0; urls.len()];
        let mut late = 0;
        let mut simulation = Simulation::new(config, seed).everywhere(server);
        let summary = simulation.run_with(&urls, |outcome, _| {
            seen[usize::try_from(outcome.tag).unwrap()] += 1;
            let deadline = outcome.timings.started.map(|started| started + total);
            late += outcome.attempts.iter().filter(|a| Some(a.timings.started) >= deadline).count();
        });
        prop_assert!(seen.iter().all(|count| *count == 1), "{:?}", seen);
        prop_assert_eq!(late, 0);
        prop_assert!(summary.max_in_flight <= limit);
        prop_assert!(summary.max_in_flight_per_host <= per_host);
        prop_assert_eq!(summary.engine.in_flight, 0);
        prop_assert_eq!(summary.engine.live, 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_run((config, server, urls, seed) in runs()) {
        let run = || Simulation::new(config.clone(), seed).everywhere(server).run(&urls);
        let (a, b) = (run(), run());
        prop_assert_eq!((a.digest, a.took, a.engine), (b.digest, b.took, b.engine));
    }

    /// With any inputs in any order, nothing panics and every fetch ends once.
    #[test]
    fn arbitrary_inputs_do_no_harm(steps in prop::collection::vec((0u8..12, 0u8..8, 0u64..3000), 0..200)) {
        let mut engine = Engine::new(EngineConfig::default().concurrency(3).per_host(2).window(8), 0, at(0));
        let (mut attempts, mut ids): (Vec<Attempt>, Vec<crate::FetchId>) = (Vec::new(), Vec::new());
        let (mut now, mut submitted, mut done) = (0, 0, 0);
        let mut step = |engine: &mut Engine, kind: u8, which: u8, pass: u64| {
            now += pass;
            let t = at(if kind == 11 { now.saturating_sub(2000) } else { now });
            let pick = |len: usize| usize::from(which) % len.max(1);
            if let Some(attempt) = attempts.get(pick(attempts.len())) {
                let input = match kind {
                    0 => Some(Input::Head(HeadSummary::status(200))),
                    1 => Some(Input::Head(HeadSummary { location: Some("http://other.test/".into()), ..HeadSummary::status(302) })),
                    2 => Some(Input::Head(HeadSummary { retry_after: Some(Duration::from_secs(2)), ..HeadSummary::status(429) })),
                    3 => Some(Input::Body { bytes: 1 << 20 }),
                    4 => Some(Input::End(Ok(()))),
                    5 => Some(Input::End(Err(FailureKind::Io))),
                    6 => Some(Input::End(Err(FailureKind::Exhausted))),
                    7 => Some(Input::End(Err(FailureKind::Stale { sent: true }))),
                    8 => Some(Input::Paused),
                    _ => None,
                };
                if let Some(input) = input {
                    engine.handle(attempt.id, input, t);
                }
            }
            if kind == 9
                && let Some(id) = ids.get(pick(ids.len())) {
                    engine.cancel(*id, t);
                }
            if kind == 10
                && let Ok(id) = engine.submit(get(&format!("http://h{}.test/", which % 3)), t) {
                    ids.push(id);
                    submitted += 1;
                }
            loop {
                match engine.poll(t) {
                    EngineOutput::Start(attempt) => attempts.push(attempt),
                    EngineOutput::Done(..) => done += 1,
                    EngineOutput::Idle(idle) => break assert_eq!(idle.live, submitted - done),
                    _ => {}
                }
                assert!(engine.stats().in_flight <= 3);
            }
        };
        for (kind, which, pass) in steps {
            step(&mut engine, kind, which, pass);
        }
        engine.close(at(10_000_000));
        step(&mut engine, 99, 0, 10_000_000);
        prop_assert_eq!(engine.stats().live, 0);
        prop_assert_eq!((submitted, engine.stats().in_flight), (done, 0));
    }
}
