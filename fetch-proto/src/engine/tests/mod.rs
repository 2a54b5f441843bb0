//! Behaviour of the whole engine, one file for each topic.

mod basics;
mod breakers;
mod limits;
mod logins;
mod outages;
mod pacing;
mod properties;
mod reconfigure;
mod retries;
mod shards;
mod shared_limits;
mod single_flight;
mod targets;
mod tokens;
mod transfers;

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    AdaptiveConcurrency, Aimd, Attempt, AttemptEnd, Backoff, BalanceStrategy, BalancedTarget,
    Breaker, ChaosPolicy, DecisionEvent, Engine, EngineConfig, EngineOutput, FailureKind,
    FetchError, FetchOutcome, FetchRequest, GiveUpReason, HeadSummary, Hedge, HedgeDelay,
    InjectedFault, Input, LoadShedding, OnOpen, Policy, PolicyRules, RetryBudget, TargetEndpoint,
    Throttle, Timestamp,
};

const SECOND: Duration = Duration::from_secs(1);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_start(Duration::from_millis(millis))
}

fn get(url: &str) -> FetchRequest {
    FetchRequest::get(url.parse().unwrap())
}

fn exact() -> Policy {
    Policy::default().backoff(Backoff::default().jitter(None))
}

fn only(policy: Policy) -> EngineConfig {
    EngineConfig::default().rules(PolicyRules::from_policy(policy))
}

/// The engine's outputs until it is idle.
#[derive(Default)]
struct PolledOutputs {
    aborts: usize,
    done: Vec<FetchOutcome>,
    events: Vec<DecisionEvent>,
    starts: Vec<Attempt>,
    wake: Option<Timestamp>,
}

fn drain(engine: &mut Engine, now: Timestamp) -> PolledOutputs {
    let mut polled = PolledOutputs::default();
    loop {
        match engine.poll(now) {
            EngineOutput::Abort(_) => polled.aborts += 1,
            EngineOutput::Done(_, outcome) => polled.done.push(outcome),
            EngineOutput::Event(_, event) => polled.events.push(event),
            EngineOutput::Idle(idle) => {
                polled.wake = idle.wake.map(|wake| wake.at);
                return polled;
            }
            EngineOutput::Start(attempt) => polled.starts.push(attempt),
            _ => {}
        }
    }
}

fn submit(engine: &mut Engine, urls: impl IntoIterator<Item = &'static str>) {
    for url in urls {
        engine.submit(get(url), at(0)).unwrap();
    }
}

fn answer(engine: &mut Engine, attempt: &Attempt, status: u16, now: Timestamp) {
    engine.handle(attempt.id, Input::Head(HeadSummary::status(status)), now);
    engine.handle(attempt.id, Input::End(Ok(())), now);
}

fn fail(engine: &mut Engine, attempt: &Attempt, now: Timestamp) {
    engine.handle(attempt.id, Input::End(Err(FailureKind::Connect)), now);
}

fn targets(polled: &PolledOutputs) -> Vec<&str> {
    polled.starts.iter().map(|one| one.url.as_str()).collect()
}

fn breaker() -> Breaker {
    Breaker::default().failure_ratio(None).consecutive(2)
}

/// Ten fetches of a host whose breaker has just opened, one at a time.
fn with_open_breaker(on_open: OnOpen) -> (Engine, PolledOutputs, Timestamp) {
    let config = only(exact().attempts(1)).breaker(breaker().on_open(on_open));
    let mut engine = Engine::new(config.per_host(1).events(true), 7, at(0));
    for n in 0..10 {
        engine
            .submit(get(&format!("http://a.test/{n}")), at(0))
            .unwrap();
    }
    let mut polled = drain(&mut engine, at(0));
    for millis in [1, 2] {
        fail(&mut engine, &polled.starts[0].clone(), at(millis));
        polled = drain(&mut engine, at(millis));
    }
    (engine, polled, at(2))
}
