//! A small site and its callers, generated from a seed.

use std::sync::Arc;
use std::time::Duration;

use fetch_proto::{
    Attempt, AttemptId, AttemptPhase, AuthProfile, Backoff, EngineConfig, FailureKind,
    FetchOutcome, FetchRequest, HeadSummary, Input, Policy, PolicyPatch, PolicyRules,
    RedirectPolicy, Timeouts, Timestamp, TokenFailure, TokenUse,
};
use proptest::prelude::*;

use crate::recorded_engine::RecordedEngine;
use crate::virtual_run::{self, CallerScript, ScheduledStep, ServerModel, TokenEnd};

pub(crate) const SECRET: &str = "hunter2";

/// A deterministic random number generator.
#[derive(Debug)]
pub(crate) struct SeededRandom(u64);

impl SeededRandom {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % n
    }
}

/// A site that answers with success, errors, delays, redirects or not at all.
#[derive(Debug)]
pub(crate) struct RandomSite {
    random: SeededRandom,
    pub(crate) outcomes: Vec<(u64, Result<u16, fetch_proto::FetchError>)>,
}

impl ServerModel for RandomSite {
    fn start_attempt(
        &mut self,
        _: usize,
        _: &Attempt,
        now: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)> {
        let random = &mut self.random;
        let mut at = now;
        let mut steps = Vec::new();
        let mut then = |random: &mut SeededRandom, input: fn(Timestamp) -> Input| {
            at = at + Duration::from_micros(random.below(400_000));
            steps.push((at, ScheduledStep::Input(input(at))));
        };
        then(random, |at| Input::Mark(AttemptPhase::Connected, at));
        then(random, |at| Input::Mark(AttemptPhase::Sent, at));
        match random.below(11) {
            0 => then(random, |_| Input::End(Err(FailureKind::Connect))),
            1 => then(random, |_| {
                Input::End(Err(FailureKind::Stale { sent: false }))
            }),
            2 => return steps,
            3 => then(random, |_| {
                let asked = Some(Duration::from_secs(2));
                Input::Head(HeadSummary::status(429).retry_after(asked))
            }),
            4 => then(random, |_| Input::Head(HeadSummary::status(503))),
            5 => then(random, |_| {
                let to = "//u:hunter2@h0.test/moved?n=1&token=hunter2#code=hunter2".into();
                Input::Head(HeadSummary::status(302).location(Some(to)))
            }),
            6 => then(random, |_| Input::Head(HeadSummary::status(401))),
            _ => then(random, |_| Input::Head(HeadSummary::status(200))),
        }
        then(random, |_| Input::Body { bytes: 70_000 });
        then(random, |_| Input::End(Ok(())));
        steps
    }

    fn continue_attempt(
        &mut self,
        _: usize,
        _: AttemptId,
        _: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)> {
        Vec::new()
    }

    fn acquire_token(&mut self, _: TokenUse, now: Timestamp) -> (Timestamp, TokenEnd) {
        let random = &mut self.random;
        let end = match random.below(6) {
            0 => TokenEnd::Failed(TokenFailure::Unavailable, None),
            1 => TokenEnd::Failed(TokenFailure::Unavailable, Some(Duration::from_secs(1))),
            2 => TokenEnd::Acquired(None),
            _ => TokenEnd::Acquired(Some(Duration::from_millis(random.below(3_000)))),
        };
        (now + Duration::from_micros(random.below(400_000)), end)
    }

    fn record_outcome(&mut self, _: usize, outcome: &FetchOutcome, _: Timestamp) {
        let result = outcome.result.map(|finish| finish.status);
        self.outcomes.push((outcome.tag, result));
    }
}

/// The settings, requests and seed of a run.
#[derive(Clone, Debug)]
pub(crate) struct RandomRun {
    pub(crate) config: EngineConfig,
    pub(crate) requests: Vec<(u64, FetchRequest)>,
    pub(crate) seed: u64,
    cancels: Vec<(u64, usize)>,
    close: Option<u64>,
}

impl RandomRun {
    /// Runs and returns the trace and the site.
    pub(crate) fn record(&self) -> (Vec<u8>, RandomSite) {
        let start = Timestamp::from_nanos(17);
        let config = self.config.clone();
        let mut engine = RecordedEngine::recording(config, self.seed, start, Vec::new(), |error| {
            panic!("{error}")
        });
        let after = |millis: u64| start + Duration::from_millis(millis);
        let mut cancels: Vec<_> = self
            .cancels
            .iter()
            .map(|(at, n)| (after(*at), *n))
            .collect();
        cancels.sort_unstable();
        let requests = self.requests.iter();
        let mut requests: Vec<_> = requests.map(|(at, r)| (after(*at), r.clone())).collect();
        requests.sort_by_key(|(at, _)| *at);
        let script = CallerScript {
            arrivals: requests.into(),
            cancels: cancels.into(),
            changes: [].into(),
            close: self.close.map(after),
        };
        let mut site = RandomSite {
            random: SeededRandom(self.seed),
            outcomes: Vec::new(),
        };
        virtual_run::run_virtual(&mut engine, start, script, &mut site);
        (
            engine.finish().expect("writing to memory cannot fail"),
            site,
        )
    }
}

fn any_config() -> impl Strategy<Value = EngineConfig> {
    let limits = (1usize..20, 0usize..5, 1usize..40);
    (limits, any::<[bool; 5]>(), 1u64..20, 0u16..4).prop_map(|(limits, flags, total, retries)| {
        let (concurrency, per_host, window) = limits;
        let [rated, follow, secret, events, tokens] = flags;
        let timeouts = Timeouts::default()
            .attempt(Duration::from_secs(1))
            .total(Duration::from_secs(total));
        let policy = Policy::default()
            .attempts(retries + 1)
            .backoff(Backoff::default().base(Duration::from_millis(200)))
            .redirects(if follow {
                RedirectPolicy::limit(3)
            } else {
                RedirectPolicy::NONE
            })
            .timeouts(timeouts);
        let rules = PolicyRules::builder().rule("/1", policy.clone().attempts(7));
        let rules = match secret {
            true => rules.rule("token=hunter2", policy.clone().attempts(2)),
            false => rules.rule("regex:token=[a-z]", policy.clone().attempts(2)),
        };
        let config = EngineConfig::default()
            .concurrency(concurrency)
            .events(events)
            .per_host(per_host)
            .rules(rules.default(policy).build().expect("they are valid"))
            .window(window);
        let config = match rated {
            true => config.rate("50/s".parse().expect("a rate")),
            false => config,
        };
        let scope = "http://h1.test/".parse().expect("a URL");
        match tokens {
            true => config.auth_profiles([AuthProfile::new("api").scope(scope)]),
            false => config,
        }
    })
}

fn any_request() -> impl Strategy<Value = (u64, FetchRequest)> {
    let own = prop::option::weighted(0.1, 1u16..3);
    (0u64..3000, 0u8..4, 0u8..20, 0u8..6, own).prop_map(|(at, host, path, kind, own)| {
        let user = if kind == 1 { "me:hunter2@" } else { "" };
        let query = match kind {
            2 => "?token=hunter2&x=1",
            3 => "?token=hunter2b",
            4 => "?x=1#hunter2",
            _ => "",
        };
        let url = format!("http://{user}h{host}.test/{path}{query}");
        let mut request = FetchRequest::get(url.parse().expect("it is a URL"));
        request.tag = u64::from(path) * 1000;
        request.idempotent = kind == 5;
        let patch = PolicyPatch::attempt_timeout(Duration::from_millis(700));
        request.patch = (path % 5 == 1).then(|| Arc::new(patch));
        request.policy = own.map(|attempts| Arc::new(Policy::default().attempts(attempts)));
        (at, request)
    })
}

pub(crate) fn any_run() -> impl Strategy<Value = RandomRun> {
    let requests = prop::collection::vec(any_request(), 0..60);
    let cancels = prop::collection::vec((0u64..4000, 0usize..60), 0..4);
    let close = prop::option::weighted(0.2, 500u64..5000);
    (any_config(), requests, any::<u64>(), cancels, close).prop_map(
        |(config, requests, seed, cancels, close)| RandomRun {
            config,
            requests,
            seed,
            cancels,
            close,
        },
    )
}

/// A fixed run of 40 requests.
pub(crate) fn example_run() -> RandomRun {
    let requests = (0..40).map(|n| {
        let url = format!("http://h{}.test/{n}?token=hunter2", n % 3);
        let mut request = FetchRequest::get(url.parse().expect("it is a URL"));
        request.tag = n;
        (n * 10, request)
    });
    RandomRun {
        config: EngineConfig::default()
            .concurrency(5)
            .per_host(3)
            .rules(PolicyRules::from_policy(Policy::default())),
        requests: requests.collect(),
        seed: 7,
        cancels: Vec::new(),
        close: None,
    }
}

/// A fixed run of 40 requests, of which some are cancelled, and the rest when the fetcher is closed.
pub(crate) fn example_run_with_cancels() -> RandomRun {
    RandomRun {
        cancels: vec![(150, 3), (600, 20)],
        close: Some(7_000),
        ..example_run()
    }
}
