//! Hosts that are down: fetches wait for them, until they are back or given up.

use super::*;
use crate::{FailureCause, OutageWait, Rate, RetryAfterPolicy, Timeouts, WaitReason};

fn waiting(policy: Policy) -> EngineConfig {
    only(policy).wait_for_outages(OutageWait::default())
}

/// A server that is down in some seconds, and answers at once in the others.
struct FlakyServer<'a> {
    /// The answer at this time: a status, or `None` for a refused connection.
    answer: &'a dyn Fn(&str, u64) -> Option<u16>,
    done: Vec<(FetchOutcome, Timestamp)>,
    events: Vec<DecisionEvent>,
    in_flight: Vec<Attempt>,
    now: Timestamp,
    /// Attempts that failed.
    vain: usize,
}

impl<'a> FlakyServer<'a> {
    fn new(answer: &'a dyn Fn(&str, u64) -> Option<u16>) -> Self {
        Self {
            answer,
            done: Vec::new(),
            events: Vec::new(),
            in_flight: Vec::new(),
            now: at(0),
            vain: 0,
        }
    }

    /// Runs the engine until it has no live fetches, or until `end`. Each round trip takes 10 ms.
    fn run(&mut self, engine: &mut Engine, end: Timestamp) {
        while self.now < end {
            for attempt in core::mem::take(&mut self.in_flight) {
                let millis = u64::try_from(self.now.since_start().as_millis()).unwrap();
                match (self.answer)(attempt.url.as_str(), millis) {
                    Some(status) => {
                        self.vain += usize::from(status >= 500);
                        answer(engine, &attempt, status, self.now);
                    }
                    None => {
                        self.vain += 1;
                        fail(engine, &attempt, self.now);
                    }
                }
            }
            let polled = drain(engine, self.now);
            let now = self.now;
            self.done
                .extend(polled.done.into_iter().map(|one| (one, now)));
            self.events.extend(polled.events);
            self.in_flight = polled.starts;
            let next = self.now + Duration::from_millis(10);
            match polled.wake {
                _ if !self.in_flight.is_empty() => self.now = next,
                Some(wake) => self.now = wake.max(next),
                None => return,
            }
        }
    }

    /// When the last fetch ended.
    fn ended(&self) -> Timestamp {
        self.done.last().map_or(Timestamp::START, |(_, at)| *at)
    }

    fn lost(&self) -> usize {
        let lost = self
            .done
            .iter()
            .filter(|(outcome, _)| !outcome.is_success());
        lost.count()
    }
}

fn submit_many(engine: &mut Engine, host: &str, count: usize) {
    for n in 0..count {
        let request = get(&format!("http://{host}/{n}"));
        engine.submit(request, at(0)).unwrap();
    }
}

#[test]
fn an_outage_of_four_seconds_loses_nothing_and_costs_little_more() {
    let up = |_: &str, millis| Some(200).filter(|_| !(1000..5000).contains(&millis));
    for per_host in [1, 16] {
        let mut engine = Engine::new(waiting(exact()).per_host(per_host), 7, at(0));
        submit_many(&mut engine, "a.test", 100 * per_host + 200);
        let mut server = FlakyServer::new(&up);
        server.run(&mut engine, at(60_000));
        assert_eq!((server.lost(), engine.stats().live), (0, 0));
        assert!(server.vain < 60, "{} vain attempts", server.vain);
        let closed = |event: &&DecisionEvent| matches!(event, DecisionEvent::HostRecovered { .. });
        assert_eq!(server.events.iter().filter(closed).count(), 1);
        assert!(server.ended() < at(5000 + 6000), "{}", server.ended());
    }
}

#[test]
fn attempts_that_failed_when_the_outage_began_are_given_back() {
    // Down for 200 s: without them, a fetch has one attempt left and a total limit of 300 s.
    let up = |_: &str, millis| Some(200).filter(|_| !(1000..201_000).contains(&millis));
    let timeouts = Timeouts::default()
        .total(Duration::from_secs(10))
        .queue(SECOND * 20);
    let policy = exact().attempts(2).timeouts(timeouts);
    let mut engine = Engine::new(waiting(policy).per_host(4), 7, at(0));
    submit_many(&mut engine, "a.test", 600);
    let mut server = FlakyServer::new(&up);
    server.run(&mut engine, at(600_000));
    assert_eq!((server.lost(), engine.stats().live), (0, 0));
    assert!(server.ended() < at(220_000), "{}", server.ended());
    let tried = server.done.iter().filter(|(one, _)| one.attempts.len() > 1);
    assert!(
        tried.count() > 4,
        "fetches that failed before and during the outage"
    );
}

#[test]
fn a_gateway_without_its_server_is_waited_for() {
    for status in [502, 503, 504] {
        let up = |_: &str, millis| match (1000..9000).contains(&millis) {
            true => Some(status),
            false => Some(200),
        };
        let mut engine = Engine::new(waiting(exact()).per_host(8), 7, at(0));
        submit_many(&mut engine, "a.test", 3000);
        let mut server = FlakyServer::new(&up);
        server.run(&mut engine, at(60_000));
        assert_eq!((server.lost(), engine.stats().live), (0, 0), "{status}");
    }
}

#[test]
fn a_host_that_never_answers_is_given_up_after_thirty_seconds() {
    let mut engine = Engine::new(waiting(exact()).per_host(4), 7, at(0));
    submit_many(&mut engine, "a.test", 50);
    let mut server = FlakyServer::new(&|_, _| None);
    server.run(&mut engine, at(20_000));
    assert!(server.done.is_empty());
    let hosts = engine.waiting_hosts(server.now);
    assert_eq!((hosts.len(), &*hosts[0].host), (1, "http://a.test"));
    assert!(matches!(hosts[0].reason, WaitReason::Outage { .. }));
    assert_eq!(
        hosts[0].gives_up_at,
        Some(hosts[0].since + Duration::from_secs(30))
    );
    assert_eq!(engine.stats().hosts_down, 1);
    server.run(&mut engine, at(60_000));
    let ended = server.done.iter().map(|(_, at)| *at);
    assert_eq!(server.done.len(), 50);
    assert!(ended.max() < Some(at(32_000)));
    let named = server.done.iter().filter(|(outcome, _)| {
        let cause = FailureCause::Failure(FailureKind::Connect);
        matches!(outcome.result, Err(FetchError::HostDown { cause: one, .. }) if one == cause)
    });
    assert!(named.count() >= 49, "a probe in flight may end by itself");
    let given_up = |event: &&DecisionEvent| matches!(event, DecisionEvent::HostGivenUp { .. });
    assert_eq!(server.events.iter().filter(given_up).count(), 1);
}

#[test]
fn later_fetches_of_a_host_that_was_given_up_fail_fast_until_a_probe_succeeds() {
    let up = |_: &str, millis| Some(200).filter(|_| millis >= 50_000);
    let mut engine = Engine::new(waiting(exact()).per_host(4), 7, at(0));
    submit_many(&mut engine, "a.test", 50);
    let mut server = FlakyServer::new(&up);
    server.run(&mut engine, at(40_000));
    assert_eq!((server.done.len(), engine.stats().hosts_given_up), (50, 1));
    let mut submit_ten = |server: &mut FlakyServer<'_>, millis| {
        server.now = at(millis);
        server.done.clear();
        let vain = server.vain;
        for n in 0..10 {
            let request = get(&format!("http://a.test/later/{n}"));
            engine.submit(request, server.now).unwrap();
        }
        server.run(&mut engine, at(millis + 1000));
        let down =
            |(one, _): &&(FetchOutcome, _)| matches!(one.result, Err(FetchError::HostDown { .. }));
        let down = server.done.iter().filter(down).count();
        (server.done.len() - server.lost(), down, server.vain - vain)
    };
    assert_eq!(
        submit_ten(&mut server, 41_000),
        (0, 9, 1),
        "the first is a probe"
    );
    assert_eq!(
        submit_ten(&mut server, 41_500),
        (0, 10, 0),
        "no probe is due"
    );
    let (good, down, _) = submit_ten(&mut server, 60_000);
    assert_eq!((good + down, down <= 9), (10, true));
    assert_eq!(submit_ten(&mut server, 62_000), (10, 0, 0));
    assert_eq!(engine.stats().hosts_given_up, 0);
}

#[test]
fn a_dead_host_does_not_hold_up_the_others() {
    let config = waiting(exact()).per_host(8).concurrency(20).window(100);
    let mut engine = Engine::new(config, 7, at(0));
    let up = |url: &str, _| Some(200).filter(|_| url.contains("good"));
    let mut server = FlakyServer::new(&up);
    // A list sorted by host: more fetches of the dead host than the window has room for.
    let hosts = ["dead.test"; 150].into_iter().chain(["good.test"; 500]);
    let mut list = hosts.enumerate().peekable();
    while server.now < at(20_000) {
        while let Some((n, host)) = list.peek() {
            match engine.submit(get(&format!("http://{host}/{n}")), server.now) {
                Ok(_) => list.next(),
                Err(_) => break,
            };
        }
        let until = server.now + Duration::from_millis(100);
        server.run(&mut engine, until);
        server.now = until;
    }
    assert_eq!((server.done.len(), server.lost()), (500, 0));
    assert_eq!(engine.stats().live, 150, "they still wait");
    assert!(engine.stats().live <= 4 * 100, "the window is bounded");
}

#[test]
fn urls_that_fail_by_themselves_bring_no_host_down() {
    for bad in [500, 502, 503] {
        let up = |url: &str, _| match url.contains("bad") {
            true => Some(bad),
            false => Some(200),
        };
        let mut engine = Engine::new(waiting(exact()).per_host(8), 7, at(0));
        for n in 0..900 {
            let block = if (300..600).contains(&n) {
                "bad"
            } else {
                "good"
            };
            let request = get(&format!("http://a.test/{block}/{n}"));
            engine.submit(request, at(0)).unwrap();
        }
        let mut server = FlakyServer::new(&up);
        server.run(&mut engine, at(120_000));
        assert_eq!((server.lost(), engine.stats().live), (300, 0), "{bad}");
        let down = server.done.iter().filter(|(one, _)| one.result.is_err());
        assert_eq!(down.count(), 0, "{bad}: each has its own response");
    }
}

#[test]
fn a_host_that_throttles_is_not_down() {
    let config = waiting(exact())
        .per_host(8)
        .host_rate("100/s".parse::<Rate>().unwrap());
    for status in [429, 503] {
        let mut engine = Engine::new(config.clone(), 7, at(0));
        submit_many(&mut engine, "a.test", 300);
        let count = core::cell::Cell::new(0);
        // Every second request is answered, the others are refused.
        let up = |_: &str, _| {
            count.set(count.get() + 1);
            Some(if count.get() % 2 == 0 { 200 } else { status })
        };
        let mut server = FlakyServer::new(&up);
        server.run(&mut engine, at(120_000));
        assert_eq!(engine.stats().circuits_opened, 0, "{status}");
    }
}

#[test]
fn the_only_fetch_of_a_host_fails_like_before_unless_the_host_has_answered() {
    let mut engine = Engine::new(waiting(exact()), 7, at(0));
    submit(&mut engine, ["http://a.test/"]);
    let mut server = FlakyServer::new(&|_, _| None);
    server.run(&mut engine, at(60_000));
    let (outcome, ended) = &server.done[0];
    assert_eq!(
        outcome.result,
        Err(FetchError::Failed(FailureKind::Connect))
    );
    assert_eq!((outcome.attempts.len(), *ended < at(4000)), (3, true));

    let mut engine = Engine::new(waiting(exact()).per_host(1), 7, at(0));
    submit(&mut engine, ["http://a.test/1", "http://a.test/2"]);
    let up = |_: &str, millis| Some(200).filter(|_| !(15..20_000).contains(&millis));
    let mut server = FlakyServer::new(&up);
    server.run(&mut engine, at(60_000));
    assert_eq!((server.done.len(), server.lost()), (2, 0));
}

#[test]
fn a_breaker_of_the_caller_wins() {
    let config = waiting(exact()).breaker(breaker().on_open(OnOpen::FailFast));
    let mut engine = Engine::new(config.per_host(1), 7, at(0));
    submit_many(&mut engine, "a.test", 10);
    let mut server = FlakyServer::new(&|_, _| None);
    server.run(&mut engine, at(4000));
    let failed = server
        .done
        .iter()
        .filter(|(one, _)| one.result == Err(FetchError::CircuitOpen));
    assert!(failed.count() >= 8);
}

#[test]
fn a_fetch_with_a_fallback_does_not_wait_for_its_host() {
    let fallback = crate::Fallback::to("http://mirror.test/".parse().unwrap());
    let mut engine = Engine::new(waiting(exact().fallback(fallback)).per_host(4), 7, at(0));
    submit_many(&mut engine, "a.test", 50);
    let up = |url: &str, _| Some(200).filter(|_| url.contains("mirror"));
    let mut server = FlakyServer::new(&up);
    server.run(&mut engine, at(60_000));
    assert_eq!((server.done.len(), server.lost()), (50, 0));
    assert!(server.ended() < at(10_000), "{}", server.ended());
}

#[test]
fn a_long_retry_after_is_waited_for_within_the_bound() {
    let patient = RetryAfterPolicy {
        over: crate::OverCap::Defer,
        ..RetryAfterPolicy::DEFAULT
    };
    let timeouts = Timeouts::default().total(Duration::from_secs(10));
    let config = waiting(exact().retry_after(patient).timeouts(timeouts));
    for (asked, expected) in [(200, 200), (400, 503)] {
        let mut engine = Engine::new(config.clone(), 7, at(0));
        submit(&mut engine, ["http://a.test/"]);
        let attempt = drain(&mut engine, at(0)).starts[0].clone();
        let head = HeadSummary::status(503).retry_after(Duration::from_secs(asked));
        engine.handle(attempt.id, Input::Head(head), at(0));
        engine.handle(attempt.id, Input::End(Ok(())), at(0));
        let mut server = FlakyServer::new(&|_, _| Some(200));
        server.run(&mut engine, at(500_000));
        assert_eq!(server.done[0].0.status(), Some(expected), "{asked} s");
    }
}

#[test]
fn turning_the_wait_off_lets_fetches_fail_again() {
    let mut engine = Engine::new(waiting(exact()).per_host(4), 7, at(0));
    submit_many(&mut engine, "a.test", 50);
    let mut server = FlakyServer::new(&|_, _| None);
    server.run(&mut engine, at(10_000));
    assert_eq!(
        engine.stats().waiting_for_hosts + engine.stats().in_flight,
        50
    );
    engine.set_config(only(exact()).per_host(4), server.now);
    assert_eq!(engine.stats().hosts_down, 0);
    server.run(&mut engine, at(40_000));
    assert_eq!((server.done.len(), server.lost()), (50, 50));
}

#[test]
fn a_target_whose_endpoints_are_all_down_is_given_up() {
    let urls = ["http://x.test", "http://y.test"].map(|url| url.parse().unwrap());
    let target = BalancedTarget::new(urls.map(TargetEndpoint::new));
    let config = waiting(exact()).target("http://service.test".parse().unwrap(), target);
    let mut engine = Engine::new(config.unwrap().per_host(4), 7, at(0));
    submit_many(&mut engine, "service.test", 50);
    let mut server = FlakyServer::new(&|_, _| None);
    server.run(&mut engine, at(60_000));
    assert_eq!((server.done.len(), engine.stats().live), (50, 0));
}

#[test]
fn a_paused_host_is_listed_while_all_its_fetches_wait_for_their_retries() {
    let mut engine = Engine::new(waiting(exact()), 7, at(0));
    submit(&mut engine, ["http://a.test/1", "http://a.test/2"]);
    for attempt in drain(&mut engine, at(0)).starts {
        let head = HeadSummary::status(429).retry_after(SECOND * 20);
        engine.handle(attempt.id, Input::Head(head), at(0));
        engine.handle(attempt.id, Input::End(Ok(())), at(0));
    }
    let polled = drain(&mut engine, at(1));
    let pauses = polled.events.iter().filter(
        |event| matches!(event, DecisionEvent::HostPaused { pause, .. } if *pause == SECOND * 20),
    );
    assert_eq!(pauses.count(), 1, "{:?}", polled.events);
    let hosts = engine.waiting_hosts(at(1000));
    assert_eq!((hosts.len(), hosts[0].reason), (1, WaitReason::Pause));
    assert_eq!((hosts[0].waiting, hosts[0].since), (2, at(0)));
    assert_eq!(hosts[0].next_attempt, Some(at(20_000)));
    assert!(engine.waiting_hosts(at(20_001)).is_empty());
}
