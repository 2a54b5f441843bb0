//! The history of a URL has a line, with its reason, for every decision.

use std::time::Duration;

use fetch_proto::{
    Attempt, AttemptPhase, Backoff, EngineConfig, EngineOutput, FetchRequest, HeadSummary, Input,
    Policy, PolicyRules, Timestamp,
};

use crate::explain;
use crate::recorded_engine::RecordedEngine;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_start(Duration::from_millis(millis))
}

/// A recorded engine, driven by hand.
struct Run(RecordedEngine<Vec<u8>>);

impl Run {
    fn new(change: impl FnOnce(EngineConfig) -> EngineConfig) -> Self {
        let policy = Policy::default().backoff(Backoff::default().jitter(None));
        let config = EngineConfig::default().rules(PolicyRules::from_policy(policy));
        let config = change(config);
        let fail = |error: std::io::Error| panic!("{error}");
        Self(RecordedEngine::recording(
            config,
            7,
            at(0),
            Vec::new(),
            fail,
        ))
    }

    fn submit(&mut self, url: &str, now: u64) {
        let request = FetchRequest::get(url.parse().unwrap());
        self.0.submit(request, at(now)).unwrap();
    }

    /// Polls until the engine is idle. Returns the attempts that start.
    fn poll(&mut self, now: u64) -> Vec<Attempt> {
        let mut starts = Vec::new();
        loop {
            match self.0.poll(at(now)) {
                EngineOutput::Idle(_) => return starts,
                EngineOutput::Start(attempt) => starts.push(attempt),
                _ => {}
            }
        }
    }

    fn head(&mut self, attempt: &Attempt, head: HeadSummary, now: u64) {
        self.0.handle(attempt.id, Input::Head(head), at(now));
    }

    fn end(&mut self, attempt: &Attempt, now: u64) {
        self.0.handle(attempt.id, Input::End(Ok(())), at(now));
    }

    /// The lines about a URL, without the first two.
    fn lines(self, url: &str) -> Vec<String> {
        let file = self.0.finish().unwrap();
        let history = explain(&file[..], url).unwrap();
        assert!(history.faithful);
        let text = history.to_string();
        let lines = text.lines().filter(|line| line.starts_with("  +"));
        lines.skip(2).map(|line| line.trim().to_owned()).collect()
    }
}

#[test]
fn a_redirect_is_shown_with_its_target_and_the_next_wait_names_the_new_host() {
    let mut run = Run::new(|config| config.per_host(1));
    run.submit("http://a.test/", 0);
    run.submit("http://b.test/busy", 0);
    let starts = run.poll(0);
    let moved = HeadSummary::status(302).location(Some("http://b.test/there".into()));
    run.head(&starts[0], moved, 50);
    run.end(&starts[0], 50);
    assert!(run.poll(50).is_empty());
    run.head(&starts[1], HeadSummary::status(200), 80);
    run.end(&starts[1], 80);
    let there = run.poll(80);
    run.head(&there[0], HeadSummary::status(204), 90);
    run.end(&there[0], 90);
    run.poll(90);
    assert_eq!(
        run.lines("http://a.test/"),
        [
            "+0.000s  attempt 1 starts after 0 s in the queue: http://a.test/",
            "+0.050s  attempt 1: the response is complete",
            "+0.050s  attempt 1: status 302",
            "+0.050s  status 302: redirected, credentials dropped: http://b.test/there",
            "+0.050s  attempt 1: its body is read and discarded, to reuse the connection",
            "+0.050s  waits: its host has 1 in flight and 1 queued, and its limits allow no more",
            "+0.080s  attempt 2 starts after 30 ms in the queue: http://b.test/there",
            "+0.090s  attempt 2: the response is complete",
            "+0.090s  attempt 2: status 204",
            "+0.090s  attempt 2: its response is used",
            "+0.090s  over: status 204, 0 bytes; attempts: 2, time in queues: 30 ms, time between attempts: 0 s",
        ]
    );
}

#[test]
fn a_wait_is_explained_by_the_limit_that_causes_it() {
    // The limit on all attempts.
    let mut run = Run::new(|config| config.concurrency(1));
    run.submit("http://a.test/", 0);
    run.submit("http://b.test/", 0);
    run.poll(0);
    let limit = "+0.000s  waits: the limit of 1 attempts in flight is reached";
    assert_eq!(run.lines("http://b.test/"), [limit]);
    // The pause that the server has asked for.
    let mut run = Run::new(|config| config);
    run.submit("http://a.test/", 0);
    let starts = run.poll(0);
    let busy = HeadSummary::status(503).retry_after(Some(Duration::from_secs(9)));
    run.head(&starts[0], busy, 10);
    run.end(&starts[0], 10);
    run.poll(10);
    run.submit("http://a.test/next", 20);
    run.poll(20);
    let paused = "+0.000s  waits: its host is paused until 9.01 s after the start";
    assert_eq!(run.lines("http://a.test/next"), [paused]);
}

#[test]
fn phases_pauses_and_inputs_that_come_too_late_are_shown() {
    let mut run = Run::new(|config| config);
    run.submit("http://a.test/", 0);
    let attempt = &run.poll(0)[0];
    let connected = Input::Mark(AttemptPhase::Connected, at(3));
    run.0.handle(attempt.id, connected, at(5));
    run.head(attempt, HeadSummary::status(200), 10);
    run.poll(10);
    run.0.handle(attempt.id, Input::Body { bytes: 70 }, at(20));
    run.0.handle(attempt.id, Input::Paused, at(21));
    run.0.handle(attempt.id, Input::Resumed, at(22));
    run.0.pause_starts();
    run.0.resume_starts();
    run.0.close(at(30));
    run.0.handle(attempt.id, Input::Body { bytes: 7 }, at(31));
    run.poll(31);
    assert_eq!(
        run.lines("http://a.test/"),
        [
            "+0.000s  attempt 1 starts after 0 s in the queue: http://a.test/",
            "+0.005s  attempt 1: connected, 2 ms ago",
            "+0.010s  attempt 1: status 200",
            "+0.010s  attempt 1: its response is used",
            "+0.020s  attempt 1: 70 bytes of the body",
            "+0.021s  attempt 1: the consumer has stopped reading",
            "+0.022s  attempt 1: the consumer reads again",
            "+0.022s  no attempts start until the consumer takes outcomes",
            "+0.022s  attempts may start again",
            "+0.030s  the fetcher is closed: all fetches are cancelled",
            "+0.031s  attempt 1: 7 bytes of the body (ignored: too late)",
            "+0.031s  attempt 1: aborted by the policy",
            "+0.031s  over: cancelled; attempts: 1, time in queues: 0 s, time between attempts: 0 s",
        ]
    );
}

#[test]
fn new_settings_are_shown_and_the_events_after_them_too() {
    let mut run = Run::new(|config| config);
    run.submit("http://a.test/", 0);
    run.poll(0);
    let policy = Policy::default().attempt_timeout(Duration::from_secs(9));
    run.0.set_config(
        EngineConfig::default().rules(PolicyRules::from_policy(policy)),
        at(5),
    );
    run.0
        .set_crawl_delay("http://a.test", Duration::from_secs(2));
    run.submit("http://a.test/next", 10);
    let attempt = &run.poll(10)[0];
    run.head(attempt, HeadSummary::status(200), 20);
    run.poll(20);
    let file = run.0.finish().unwrap();
    let first = explain(&file[..], "http://a.test/").unwrap().to_string();
    for line in [
        "+0.005s  the limits and policies are replaced; this fetch keeps its policy",
        "+0.005s  attempts at its host start at least 2 s apart from now on",
    ] {
        assert!(first.contains(line), "{first}");
    }
    let next = explain(&file[..], "http://a.test/next").unwrap();
    assert!(next.faithful);
    let next = next.to_string();
    for line in [
        "limits: attempt 9 s",
        "attempt 1 starts after 0 s in the queue",
    ] {
        assert!(next.contains(line), "{next}");
    }
}
