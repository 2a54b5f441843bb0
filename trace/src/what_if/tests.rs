//! Recorded attempts are reused; unknown ones give a range.

use std::time::Duration;

use fetch_proto::{
    Attempt, AttemptId, AuthProfile, Backoff, EngineConfig, FailureKind, FetchOutcome,
    FetchRequest, HeadSummary, Input, Policy, PolicyRules, RedirectPolicy, Timestamp, TokenUse,
};

use super::{RunComparison, what_if};
use crate::recorded_engine::RecordedEngine;
use crate::virtual_run::{
    self, CallerScript, ScheduledStep, ServerModel, SettingsChange, TokenEnd,
};

/// The answer to one attempt, after a number of milliseconds.
#[derive(Clone, Debug)]
enum ScriptedAnswer {
    Never,
    Fail(u64),
    Status(u64, u16),
    To(u64, &'static str),
}

use ScriptedAnswer::{Fail, Never, Status, To};

struct ScriptedServers(Vec<Vec<ScriptedAnswer>>);

impl ServerModel for ScriptedServers {
    fn start_attempt(
        &mut self,
        fetch: usize,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)> {
        let number = usize::from(attempt.id.number()) - 1;
        let at = |after: &u64| now + Duration::from_millis(*after);
        let head = |after: &u64, head| {
            let inputs = [Input::Head(head), Input::End(Ok(()))];
            inputs
                .map(|input| (at(after), ScheduledStep::Input(input)))
                .into()
        };
        match &self.0[fetch][number] {
            Never => Vec::new(),
            Fail(after) => vec![(
                at(after),
                ScheduledStep::Input(Input::End(Err(FailureKind::Io))),
            )],
            Status(after, status) => head(after, HeadSummary::status(*status)),
            To(after, url) => {
                let location = Some((*url).into());
                head(after, HeadSummary::status(302).location(location))
            }
        }
    }

    fn continue_attempt(
        &mut self,
        _: usize,
        _: AttemptId,
        _: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)> {
        Vec::new()
    }

    /// After half a second; valid for a second.
    fn acquire_token(&mut self, _: TokenUse, now: Timestamp) -> (Timestamp, TokenEnd) {
        let end = TokenEnd::Acquired(Some(Duration::from_secs(1)));
        (now + Duration::from_millis(500), end)
    }

    fn record_outcome(&mut self, _: usize, _: &FetchOutcome, _: Timestamp) {}
}

fn policy() -> Policy {
    let backoff = Backoff::default()
        .base(Duration::from_millis(100))
        .factor(1)
        .jitter(None);
    let policy = Policy::default().attempts(1).backoff(backoff);
    policy
        .attempt_timeout(Duration::from_secs(1))
        .redirects(RedirectPolicy::NONE)
}

/// Records fetches of one host and compares them with another policy.
fn compare(answers: &[&[ScriptedAnswer]], other: Policy) -> RunComparison {
    let urls = (0..answers.len()).map(|n| format!("http://a.test/{n}"));
    let config = EngineConfig::default().rules(PolicyRules::from_policy(policy()));
    compare_runs(config, urls, answers, |config| {
        config.rules(PolicyRules::from_policy(other.clone()))
    })
}

fn compare_runs(
    config: EngineConfig,
    urls: impl Iterator<Item = String>,
    answers: &[&[ScriptedAnswer]],
    other: impl FnMut(EngineConfig) -> EngineConfig,
) -> RunComparison {
    let script = CallerScript::default();
    compare_scripts(config, script, urls, answers, other)
}

fn compare_scripts(
    config: EngineConfig,
    script: CallerScript,
    urls: impl Iterator<Item = String>,
    answers: &[&[ScriptedAnswer]],
    other: impl FnMut(EngineConfig) -> EngineConfig,
) -> RunComparison {
    let start = Timestamp::START;
    let mut engine =
        RecordedEngine::recording(config, 7, start, Vec::new(), |error| panic!("{error}"));
    let script = CallerScript {
        arrivals: urls
            .map(|url| (start, FetchRequest::get(url.parse().unwrap())))
            .collect(),
        ..script
    };
    let mut servers = ScriptedServers(answers.iter().map(|answers| answers.to_vec()).collect());
    virtual_run::run_virtual(&mut engine, start, script, &mut servers);
    let comparison = what_if(&engine.finish().unwrap()[..], other).unwrap();
    assert!(comparison.faithful);
    comparison
}

fn success_counts(comparison: &RunComparison) -> (u64, u64, u64) {
    let count = |totals: &super::RunTotals| totals.stats().succeeded();
    let RunComparison {
        recorded,
        optimistic,
        pessimistic,
        ..
    } = comparison;
    (count(recorded), count(optimistic), count(pessimistic))
}

#[test]
fn an_unrecorded_retry_succeeds_or_fails() {
    let answers: &[&[ScriptedAnswer]] = &[&[Fail(50)], &[Status(200, 200)], &[Status(300, 200)]];
    let comparison = compare(answers, policy().attempts(3));
    assert_eq!(
        (success_counts(&comparison), comparison.unseen),
        ((2, 3, 2), 1)
    );
    let attempts = |totals: &super::RunTotals| totals.stats().attempts();
    assert_eq!(attempts(&comparison.optimistic), 4);
    assert_eq!(attempts(&comparison.pessimistic), 5);
    // 50 ms, a wait of 100 ms, the host's median: 200 ms.
    let total = Duration::from_millis(350);
    let best = comparison.optimistic.percentile(10_000).unwrap();
    assert!(best.abs_diff(total) < total / 50, "{best:?}");
    // 50 ms, and twice a wait of 100 ms and the host's longest: 300 ms.
    let total = Duration::from_millis(850);
    let worst = comparison.pessimistic.percentile(10_000).unwrap();
    assert!(worst.abs_diff(total) < total / 50, "{worst:?}");
    let table = comparison.to_string();
    assert!(
        table.contains("1 of 3 outcomes depend on attempts that are not in the trace"),
        "{table}"
    );
}

#[test]
fn an_attempt_cut_short_is_answered_or_never_answered() {
    let answers: &[&[ScriptedAnswer]] = &[&[Never], &[Status(200, 200)]];
    let longer = compare(answers, policy().attempt_timeout(Duration::from_secs(3)));
    assert_eq!((success_counts(&longer), longer.unseen), ((1, 2, 1), 1));
    assert_eq!(
        longer.optimistic.took(),
        Duration::from_millis(1200) + Duration::from_nanos(1)
    );
    assert_eq!(longer.pessimistic.took(), Duration::from_secs(3));
    // A shorter limit needs no assumption: the trace shows that no answer came before it.
    let shorter = compare(
        answers,
        policy().attempt_timeout(Duration::from_millis(500)),
    );
    assert_eq!((success_counts(&shorter), shorter.unseen), ((1, 1, 1), 0));
    assert_eq!(shorter.pessimistic.took(), Duration::from_millis(500));
}

#[test]
fn an_attempt_without_timeout_or_answer_is_cancelled() {
    let without = policy().timeouts(fetch_proto::Timeouts::NONE);
    let comparison = compare(&[&[Never]], without);
    assert_eq!(
        comparison.pessimistic.failed().next(),
        Some(("cancelled", 1))
    );
}

#[test]
fn a_redirect_not_followed_leads_to_an_unrecorded_attempt() {
    let answers: &[&[ScriptedAnswer]] = &[
        &[To(50, "/0")],
        &[To(50, "http://b.test/")],
        &[Status(50, 200)],
    ];
    let comparison = compare(answers, policy().redirects(RedirectPolicy::default()));
    assert_eq!(comparison.unseen, 2);
    assert_eq!(success_counts(&comparison).0, 3);
    assert_eq!(comparison.optimistic.stats().attempts(), 5);
}

#[test]
fn lower_concurrency_takes_longer_and_needs_no_assumption() {
    let answers: &[&[ScriptedAnswer]] = &[&[Status(100, 200)], &[Status(100, 200)], &[Fail(100)]];
    let config = EngineConfig::default().rules(PolicyRules::from_policy(policy()));
    let urls = (0..3).map(|n| format!("http://a.test/{n}"));
    let comparison = compare_runs(config, urls, answers, |config| config.concurrency(1));
    assert_eq!(comparison.unseen, 0);
    assert_eq!(comparison.recorded.took(), Duration::from_millis(100));
    assert_eq!(comparison.optimistic.took(), Duration::from_millis(300));
    assert_eq!(
        comparison.optimistic.stats().total(),
        comparison.recorded.stats().total()
    );
}

#[test]
fn tokens_take_as_long_as_the_recorded_ones() {
    let answers: &[&[ScriptedAnswer]] = &[&[Status(100, 200)], &[Status(100, 200)]];
    let profile = AuthProfile::new("api").scope("http://a.test/".parse().unwrap());
    let config = EngineConfig::default()
        .rules(PolicyRules::from_policy(policy()))
        .auth_profiles([profile]);
    let urls = (0..2).map(|n| format!("http://a.test/{n}"));
    let comparison = compare_runs(config, urls, answers, |config| config.concurrency(1));
    assert_eq!(comparison.recorded.took(), Duration::from_millis(600));
    assert_eq!(comparison.optimistic.took(), Duration::from_millis(700));
    assert_eq!(comparison.unseen, 0);
}

#[test]
fn policies_selected_by_a_secret_are_counted() {
    let rules = PolicyRules::builder()
        .rule("token=hunter2", policy().attempts(2))
        .default(policy());
    let config = EngineConfig::default().rules(rules.build().unwrap());
    let urls = ["http://a.test/?token=hunter2".to_owned()].into_iter();
    let answers: &[&[ScriptedAnswer]] = &[&[Fail(10), Status(10, 200)]];
    let comparison = compare_runs(config, urls, answers, |config| config);
    assert_eq!(
        (comparison.pinned, success_counts(&comparison)),
        (1, (1, 0, 0))
    );
}

#[test]
fn the_table_has_a_row_for_every_figure() {
    let answers: &[&[ScriptedAnswer]] = &[
        &[Fail(50)],
        &[Status(200, 200)],
        &[Status(300, 404)],
        &[Never],
    ];
    let table = compare(answers, policy().attempts(3)).to_string();
    let (_, rows) = table.split_once("what if\n").unwrap();
    let (counts, times) = rows.split_once("fetch time p50").unwrap();
    let expected = "\
fetches                           4   4
succeeded                         1   1 – 3
  attempt timeout                 1   0 – 1
  io                              1   0 – 1
  status 404                      1   1
attempts                          3   5
attempts per fetch            0.750   1.250
total time                  1.000 s   1.300 s – 3.200 s
";
    assert_eq!(counts, expected);
    assert_eq!(times.lines().count(), 5, "{table}");
}

#[test]
fn settings_that_change_in_the_run_change_in_the_comparison() {
    let config = EngineConfig::default()
        .rules(PolicyRules::from_policy(policy()))
        .concurrency(1);
    let answers: &[&[ScriptedAnswer]] = &[
        &[Status(100, 200)],
        &[Status(100, 200)],
        &[Status(100, 200)],
    ];
    let at = |millis| Timestamp::START + Duration::from_millis(millis);
    let wider = SettingsChange::Config(Box::new(config.clone().concurrency(2)));
    let changes = [(at(100), wider)];
    let urls = || (0..3).map(|n| format!("http://a.test/{n}"));
    let script = || CallerScript {
        changes: changes.clone().into(),
        ..CallerScript::default()
    };
    let same = compare_scripts(config.clone(), script(), urls(), answers, |config| config);
    assert_eq!(same.recorded.took(), Duration::from_millis(200));
    assert_eq!(same.optimistic.took(), Duration::from_millis(200));
    // The change applies to the later settings, too.
    let narrow = |config: EngineConfig| config.concurrency(1);
    let narrow = compare_scripts(config, script(), urls(), answers, narrow);
    assert_eq!(narrow.optimistic.took(), Duration::from_millis(300));
    assert_eq!(narrow.unseen, 0);
}

#[test]
fn crawl_delays_of_the_run_apply_in_the_comparison() {
    let config = EngineConfig::default().rules(PolicyRules::from_policy(policy()));
    let answers: &[&[ScriptedAnswer]] = &[&[Status(10, 200)], &[Status(10, 200)]];
    let delay = SettingsChange::CrawlDelay("http://a.test".into(), Duration::from_secs(2));
    let script = CallerScript {
        changes: [(Timestamp::START, delay)].into(),
        ..CallerScript::default()
    };
    let urls = (0..2).map(|n| format!("http://a.test/{n}"));
    let same = compare_scripts(config, script, urls, answers, |config| config);
    let took = Duration::from_millis(2010);
    assert_eq!((same.recorded.took(), same.optimistic.took()), (took, took));
}
