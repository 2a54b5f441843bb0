use std::num::NonZeroU32;
use std::time::Duration;

use fetch_proto::{
    Backoff, EngineOutput, FailureKind, FetchRequest, HeadSummary, Input, Policy, PolicyRules,
    Rate, RateLimiter, RetryBudget,
};
use proptest::prelude::*;

use super::*;
use crate::telemetry::recording::new_engine;

/// The engines of several drivers, without their IO: each attempt ends as soon as it starts.
struct Engines {
    engines: Vec<(DriverEngine, SharedLimitsHandle)>,
    fails: bool,
    shared: Arc<SharedLimits>,
    /// The time and the path of each attempt.
    starts: Vec<(Timestamp, String)>,
}

impl Engines {
    fn new(count: usize, config: &EngineConfig) -> Self {
        let shared = Arc::new(SharedLimits::new(config));
        let new = |driver| {
            let mut engine = new_engine(config.clone(), 7, Timestamp::START, None);
            engine.share_limits();
            (
                engine,
                SharedLimitsHandle::new(shared.clone(), driver, config),
            )
        };
        Self {
            engines: (0..count).map(new).collect(),
            fails: false,
            shared: shared.clone(),
            starts: Vec::new(),
        }
    }

    fn submit(&mut self, engine: usize, url: &str) {
        let request = FetchRequest::get(url.parse().unwrap());
        let (engine, _) = &mut self.engines[engine];
        engine.submit(request, Timestamp::START).unwrap();
    }

    /// Polls one engine until it is idle. Returns when to poll it again.
    fn drain(&mut self, which: usize, now: Timestamp) -> Option<Timestamp> {
        let (engine, limits) = &mut self.engines[which];
        loop {
            match limits.with_tokens(engine, |engine| engine.poll(now)) {
                EngineOutput::Start(attempt) => {
                    self.starts.push((now, attempt.url.path().to_owned()));
                    limits.with_tokens(engine, |engine| {
                        if self.fails {
                            let failure = Input::End(Err(FailureKind::Connect));
                            engine.handle(attempt.id, failure, now);
                        } else {
                            let head = Input::Head(HeadSummary::status(200));
                            engine.handle(attempt.id, head, now);
                            engine.handle(attempt.id, Input::End(Ok(())), now);
                        }
                    });
                }
                EngineOutput::Idle(idle) if !limits.answer_start_request(engine, now) => {
                    return idle.wake.map(|wake| wake.at);
                }
                _ => {}
            }
        }
    }

    /// Polls all engines, this one first. Returns when to poll again.
    fn drain_all(&mut self, first: usize, now: Timestamp) -> Option<Timestamp> {
        let count = self.engines.len();
        let wakes = (0..count).map(|i| self.drain((first + i) % count, now));
        wakes.collect::<Vec<_>>().into_iter().flatten().min()
    }

    /// Polls all engines whenever one has work, until none has any.
    fn run(&mut self) {
        let mut now = Timestamp::START;
        for first in 0.. {
            match self.drain_all(first, now) {
                None => return,
                Some(at) => {
                    assert!(at > now, "it is not idle");
                    now = at;
                }
            }
        }
    }
}

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

fn config() -> EngineConfig {
    let at_once = Backoff::default().base(Duration::ZERO).jitter(None);
    let policy = Policy::default().backoff(at_once).attempts(99);
    EngineConfig::default().rules(PolicyRules::from_policy(policy))
}

/// The configuration with this rate for paths with `/slow/`.
fn with_rule(config: EngineConfig, slow: Option<Rate>) -> EngineConfig {
    let policy = Policy::clone(config.rules.default_policy());
    let rules = PolicyRules::builder()
        .rule("/slow/", policy.clone().rate(slow))
        .default(policy);
    config.rules(rules.build().unwrap())
}

proptest! {
    /// At any time as many attempts have started as one limiter allows, no matter which engines
    /// have fetches, even if only one has any.
    #[test]
    fn all_engines_together_have_exactly_the_rate(
        queues in prop::collection::vec(prop::collection::vec(0_u32..4, 0..20), 1..5),
        (count, burst) in (1_u32..20, 1_u32..6),
        steps in prop::collection::vec((0_u64..800, 0_usize..5), 1..60),
    ) {
        let burst = NonZeroU32::new(burst).unwrap();
        let limit = rate(&format!("{count}/s")).burst(burst);
        let mut engines = Engines::new(queues.len(), &config().rate(limit));
        let mut queued = 0;
        for (engine, hosts) in queues.iter().enumerate() {
            for (n, host) in hosts.iter().enumerate() {
                engines.submit(engine, &format!("http://h{host}.test/{n}"));
                queued += 1;
            }
        }
        let (mut now, mut model, mut allowed) = (Timestamp::START, RateLimiter::new(limit), 0);
        for (step, first) in steps {
            now = now + Duration::from_millis(step);
            engines.drain_all(first, now);
            while allowed < queued && model.try_acquire(now).is_ok() {
                allowed += 1;
            }
            prop_assert_eq!(engines.starts.len(), allowed);
        }
    }

    /// No window has more attempts than the burst and the rate allow, over all hosts and of one rule,
    /// and every fetch has its attempt in the end.
    #[test]
    fn rates_over_all_hosts_and_of_rules_hold_together(
        queues in prop::collection::vec(prop::collection::vec(0_u32..4, 1..15), 1..4),
        (all, slow) in (1_u32..30, 1_u32..10),
        burst in 1_u32..4,
    ) {
        let burst = NonZeroU32::new(burst).unwrap();
        let (all, slow) = (rate(&format!("{all}/s")), rate(&format!("{slow}/s")));
        let (all, slow) = (all.burst(burst), slow.burst(burst));
        let config = with_rule(config().rate(all), Some(slow));
        let mut engines = Engines::new(queues.len(), &config);
        let mut queued = 0;
        for (engine, hosts) in queues.iter().enumerate() {
            for (n, host) in hosts.iter().enumerate() {
                let path = ["slow/", ""][n % 2];
                engines.submit(engine, &format!("http://h{host}.test/{path}"));
                queued += 1;
            }
        }
        engines.run();
        prop_assert_eq!(engines.starts.len(), queued);
        let is_within = |rate: Rate, path: &str| {
            let starts = engines.starts.iter().filter(|(_, at)| at.starts_with(path));
            let times: Vec<_> = starts.map(|(at, _)| at.as_nanos()).collect();
            let (count, per) = (u64::from(rate.count().get()), rate.period().as_nanos() as u64);
            (0..times.len()).all(|i| {
                times[i..].iter().enumerate().all(|(more, end)| {
                    let beyond = (more as u64 + 1).saturating_sub(u64::from(burst.get()));
                    beyond * per <= (end - times[i]) * count
                })
            })
        };
        prop_assert!(is_within(all, "/"), "{:?}", engines.starts);
        prop_assert!(is_within(slow, "/slow/"), "{:?}", engines.starts);
    }

    /// Retries stop when the budget is used up, no matter which engines have used it.
    #[test]
    fn all_engines_together_have_exactly_the_budget(
        queues in prop::collection::vec(1_usize..20, 1..4),
        capacity in 0_u32..100,
    ) {
        let budget = RetryBudget::Capacity {
            capacity, retry_cost: 1, throttle_cost: 1, timeout_cost: 1,
        };
        let mut engines = Engines::new(queues.len(), &config().budget(budget));
        engines.fails = true;
        for (engine, count) in queues.iter().enumerate() {
            (0..*count).for_each(|n| engines.submit(engine, &format!("http://a.test/{n}")));
        }
        engines.run();
        let queued = queues.iter().sum::<usize>();
        prop_assert_eq!(engines.starts.len(), queued + (capacity as usize).min(98 * queued));
    }
}

/// One driver has a turn every millisecond. The timer of the other is a millisecond late.
#[test]
fn a_driver_that_sleeps_has_as_much_of_the_rate_as_a_busy_one() {
    let limit = rate("100/s").strict();
    let mut engines = Engines::new(2, &config().rate(limit));
    for n in 0..100 {
        engines.submit(0, &format!("http://a.test/busy/{n}"));
        engines.submit(1, &format!("http://b.test/asleep/{n}"));
    }
    let mut wakes_at = Some(Timestamp::START);
    for millis in 0..1000 {
        let now = Timestamp::START + Duration::from_millis(millis);
        engines.drain(0, now);
        if wakes_at.is_some_and(|at| at < now) {
            wakes_at = engines.drain(1, now);
        }
    }
    let starts = engines.starts.iter();
    let asleep = starts
        .filter(|(_, path)| path.starts_with("/asleep"))
        .count();
    assert!(engines.starts.len() > 80, "{} starts", engines.starts.len());
    assert!(
        asleep * 2 > engines.starts.len() - 10,
        "{asleep} of {}",
        engines.starts.len()
    );
}

#[test]
fn without_such_a_limit_nothing_is_asked() {
    let mut engines = Engines::new(1, &config());
    engines.submit(0, "http://a.test/");
    let shared = engines.shared.clone();
    let _locked = lock(&shared.state);
    engines.run();
    assert_eq!(engines.starts.len(), 1);
}

#[test]
fn a_new_configuration_keeps_what_was_used() {
    let later = Timestamp::START + Duration::from_secs(60);
    let old = with_rule(config(), Some(rate("1/m")));
    let mut engines = Engines::new(2, &old);
    engines.submit(0, "http://a.test/slow/");
    engines.drain_all(0, Timestamp::START);
    // The rule is the second one now.
    let policy = Policy::default();
    let rules = PolicyRules::builder()
        .rule("/other/", policy.clone().rate(rate("1/s")))
        .rule("/slow/", policy.clone().rate(rate("2/m")))
        .default(policy);
    let new = config().rules(rules.build().unwrap());
    engines.shared.set_config(&new);
    for (engine, limits) in &mut engines.engines {
        engine.set_config(new.clone(), Timestamp::START);
        limits.configure(&new);
    }
    engines.submit(1, "http://b.test/slow/");
    engines.submit(1, "http://b.test/other/");
    assert_eq!(engines.drain_all(0, Timestamp::START), Some(later));
    assert_eq!(engines.starts.last().unwrap().1, "/other/");
    assert_eq!(engines.drain_all(0, later), None);
    assert_eq!(engines.starts.last().unwrap(), &(later, "/slow/".into()));
}

#[test]
fn a_driver_with_the_old_configuration_starts_freely_once_a_limit_is_gone() {
    let slow = Some(rate("1/m"));
    let mut engines = Engines::new(1, &with_rule(config().rate(rate("1/m")), slow));
    engines.shared.set_config(&with_rule(config(), None));
    for _ in 0..3 {
        engines.submit(0, "http://a.test/slow/");
    }
    assert_eq!(engines.drain_all(0, Timestamp::START), None);
    assert_eq!(engines.starts.len(), 3);
}
