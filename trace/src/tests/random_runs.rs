//! Recordings of random runs replay identically.

use std::time::Duration;

use fetch_proto::{
    Attempt, EngineConfig, EngineOutput, FailureKind, FetchId, FetchRequest, HeadSummary,
    HookStage, Input, Policy, PolicyRules, ResponseVerdict, RetryBudget, RetryClass, RetryTokens,
    SharedRate, Timestamp,
};
use proptest::prelude::*;

use super::random_site::{SECRET, any_run, example_run};
use crate::call::TraceAnswer;
use crate::reader::TraceEnd;
use crate::recorded_engine::RecordedEngine;
use crate::replay::{TraceReplay, replay};
use crate::{explain, what_if};

fn contains(file: &[u8], text: &str) -> bool {
    file.windows(text.len())
        .any(|window| window == text.as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_run_replays_identically_and_contains_no_secret(run in any_run()) {
        let (file, site) = run.record();
        let report = replay(&file[..]).unwrap();
        prop_assert!(report.is_identical(), "{}", report);
        prop_assert_eq!(report.ending, TraceEnd::Complete);
        prop_assert_eq!(report.outcomes, site.outcomes.len() as u64);
        prop_assert!(!contains(&file, SECRET));
    }

    #[test]
    fn enabling_events_changes_neither_decisions_nor_digest(run in any_run()) {
        let (file, _) = run.record();
        let report = TraceReplay::open(&file[..]).unwrap().with_events().run(|_, _| {}).unwrap();
        prop_assert!(report.is_identical(), "{}", report);
    }

    #[test]
    fn a_replay_has_the_outcomes_of_the_run(run in any_run()) {
        let (file, site) = run.record();
        let mut outcomes = Vec::new();
        let report = TraceReplay::open(&file[..]).unwrap().run(|step, _| {
            if let TraceAnswer::Output(EngineOutput::Done(_, outcome)) = &step.answer {
                outcomes.push((outcome.tag, outcome.result.map(|finish| finish.status)));
            }
        });
        prop_assert!(report.unwrap().is_identical());
        prop_assert_eq!(outcomes, site.outcomes);
    }

    /// Calls in any order and at any time, including calls that no driver makes.
    #[test]
    fn arbitrary_calls_replay_identically(
        steps in prop::collection::vec((0u8..23, 0u8..8, 0u64..3000), 0..200),
    ) {
        let config = EngineConfig::default().concurrency(3).per_host(2).window(8);
        let config = config.rate("50/s".parse().unwrap()).budget(RetryBudget::RATIO);
        let at = |millis| Timestamp::from_start(Duration::from_millis(millis));
        let mut engine = RecordedEngine::recording(config, 3, at(0), Vec::new(), |e| panic!("{e}"));
        let (mut attempts, mut ids): (Vec<Attempt>, Vec<FetchId>) = (Vec::new(), Vec::new());
        let mut now = 0;
        for (kind, which, pass) in steps {
            now += pass;
            let t = at(if kind == 11 { now.saturating_sub(2000) } else { now });
            let attempt = attempts.get(usize::from(which) % attempts.len().max(1));
            if let (Some(attempt), Some(input)) = (attempt, input(kind)) {
                engine.handle(attempt.id, input, t);
            }
            match kind {
                9 => {
                    if let Some(id) = ids.get(usize::from(which) % ids.len().max(1)) {
                        engine.cancel(*id, t);
                    }
                }
                10 => {
                    let url = format!("http://h{}.test/", which % 3);
                    let request = FetchRequest::get(url.parse().unwrap());
                    ids.extend(engine.submit(request, t));
                }
                12 => engine.pause_starts(),
                13 => engine.resume_starts(),
                15 => engine.share_limits(),
                16 | 17 => _ = engine.grant_start(t),
                18 if which < 4 => engine.deny_start(SharedRate::AllHosts, at(now + 100), t),
                18 => engine.lend_retry_tokens(RetryTokens::new(RetryBudget::TOKENS)),
                19 => _ = engine.take_retry_tokens(),
                _ => {}
            }
            for _ in 0..which {
                if let EngineOutput::Start(attempt) = engine.poll(t) {
                    attempts.push(attempt);
                }
            }
        }
        engine.close(at(10_000_000));
        while !matches!(engine.poll(at(10_000_000)), EngineOutput::Idle(_)) {}
        let stats = engine.stats();
        let mut replayed = TraceReplay::open(std::io::Cursor::new(engine.finish().unwrap())).unwrap();
        while replayed.step().unwrap().is_some() {}
        prop_assert!(replayed.report().is_identical(), "{}", replayed.report());
        prop_assert_eq!(replayed.engine().stats(), stats);
    }
}

fn input(kind: u8) -> Option<Input> {
    Some(match kind {
        0 => Input::Head(HeadSummary::status(200)),
        1 => Input::Head(
            HeadSummary::status(302).location(Some("http://other.test/?key=a b".into())),
        ),
        2 => Input::Head(HeadSummary::status(429).retry_after(Duration::from_secs(2))),
        3 => Input::Body { bytes: 1 << 20 },
        4 => Input::End(Ok(())),
        5 => Input::End(Err(FailureKind::Io)),
        6 => Input::End(Err(FailureKind::Exhausted)),
        7 => Input::End(Err(FailureKind::Stale { sent: true })),
        8 => Input::Paused,
        14 => Input::Resumed,
        20 => Input::HookStarted(HookStage::Classify),
        21 => Input::HookEnded,
        22 => Input::Head(
            HeadSummary::status(200).verdict(ResponseVerdict::Reject(RetryClass::Server)),
        ),
        _ => return None,
    })
}

#[test]
fn a_new_configuration_replays_identically_for_urls_with_secrets() {
    for pattern in ["token=hunter2", "regex:token=[a-z]"] {
        let mut engine = RecordedEngine::recording(
            EngineConfig::default(),
            7,
            Timestamp::START,
            Vec::new(),
            |error| panic!("{error}"),
        );
        let rules = PolicyRules::builder().rule(pattern, Policy::default().attempts(1));
        let config = EngineConfig::default().rules(rules.build().unwrap());
        engine.set_config(config, Timestamp::START);
        let request = FetchRequest::get("http://a.test/?token=hunter2".parse().unwrap());
        engine.submit(request, Timestamp::START).unwrap();
        let EngineOutput::Start(attempt) = engine.poll(Timestamp::START) else {
            panic!("nothing was started");
        };
        let refused = Input::End(Err(FailureKind::Connect));
        engine.handle(attempt.id, refused, Timestamp::START);
        while !matches!(engine.poll(Timestamp::START), EngineOutput::Done(..)) {}
        let file = engine.finish().unwrap();
        let report = replay(&file[..]).unwrap();
        assert!(report.is_identical(), "{pattern}: {report}");
        assert!(!contains(&file, SECRET), "{pattern}");
    }
}

#[test]
fn a_different_seed_is_reported_at_its_first_effect() {
    let run = example_run();
    let (file, _) = run.record();
    let replay = TraceReplay::open(&file[..])
        .unwrap()
        .with_config(run.config.clone(), run.seed + 1);
    let report = replay.run(|_, _| {}).unwrap();
    let difference = report.difference.clone().expect("jitter differs");
    assert!(
        difference.entry > 1 && difference.agreed < difference.entry,
        "{report}"
    );
    // The first difference is the delay before the first retry.
    assert!(
        difference.recorded.contains("idle") && difference.replayed.contains("backoff"),
        "{report}"
    );
}

#[test]
fn different_settings_are_reported_at_their_first_effect() {
    let run = example_run();
    let (file, _) = run.record();
    let config = run.config.clone().concurrency(2);
    let report = TraceReplay::open(&file[..])
        .unwrap()
        .with_config(config, run.seed)
        .run(|_, _| {})
        .unwrap();
    let difference = report.difference.expect("two instead of five");
    assert_eq!(
        (difference.recorded.as_str(), &difference.replayed[..4]),
        ("start", "idle")
    );
}

#[test]
fn what_if_without_a_change_equals_the_recorded_run() {
    let run = example_run();
    let (file, _) = run.record();
    let comparison = what_if(&file[..], |config| config).unwrap();
    assert!(comparison.faithful);
    assert_eq!(
        (comparison.unseen, comparison.pinned),
        (0, 0),
        "{comparison}"
    );
    for totals in [&comparison.optimistic, &comparison.pessimistic] {
        assert_eq!(totals.stats(), comparison.recorded.stats(), "{comparison}");
        assert_eq!(totals.took(), comparison.recorded.took());
    }
}

#[test]
fn a_history_contains_the_reason_of_every_decision() {
    let (file, _) = example_run().record();
    let history = explain(&file[..], "http://h1.test/1?token=whatever").unwrap();
    assert_eq!((history.fetches.len(), history.faithful), (1, true));
    let text = history.to_string();
    for part in ["is submitted", "policy: ", "attempt 1 starts", "over: "] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    assert!(!text.contains(SECRET), "{text}");
    let unknown = explain(&file[..], "http://other.test/").unwrap();
    assert!(unknown.to_string().contains("is not in the trace"));
}
