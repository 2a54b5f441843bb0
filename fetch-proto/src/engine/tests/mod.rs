//! What the engine's policies do together: breakers defer, budgets bound, hedges race, rules pace,
//! targets balance, fetches share, settings change, checkpoints go on.

mod balancing;
mod breaking;
mod changing;
mod pacing;
mod parting;
mod retrying;
mod sharing;

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Config, Engine, Output};
use crate::{
    AdaptiveConcurrency, Aimd, Attempt, AttemptEnd, Backoff, BalanceStrategy, BalancedTarget,
    Breaker, ChaosPolicy, DecisionEvent, FailureKind, FetchError, FetchOutcome, FetchRequest,
    GiveUpReason, HeadSummary, Hedge, HedgeDelay, InjectedFault, Input, OnOpen, Policy,
    PolicyRules, RetryBudget, Shed, TargetEndpoint, Throttle, Timestamp,
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

fn only(policy: Policy) -> Config {
    Config::default().rules(PolicyRules::from_policy(policy))
}

/// What the engine says until it is idle.
#[derive(Default)]
struct Said {
    aborts: usize,
    done: Vec<FetchOutcome>,
    events: Vec<DecisionEvent>,
    starts: Vec<Attempt>,
    wake: Option<Timestamp>,
}

fn drain(engine: &mut Engine, now: Timestamp) -> Said {
    let mut said = Said::default();
    loop {
        match engine.poll(now) {
            Output::Abort(_) => said.aborts += 1,
            Output::Done(_, outcome) => said.done.push(outcome),
            Output::Event(_, event) => said.events.push(event),
            Output::Idle(idle) => {
                said.wake = idle.wake.map(|wake| wake.at);
                return said;
            }
            Output::Start(attempt) => said.starts.push(attempt),
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

fn targets(said: &Said) -> Vec<&str> {
    said.starts.iter().map(|one| one.url.as_str()).collect()
}

fn breaker() -> Breaker {
    Breaker::default().failure_ratio(None).consecutive(2)
}

/// Ten fetches of a host whose breaker has just opened, one at a time.
fn with_open_breaker(on_open: OnOpen) -> (Engine, Said, Timestamp) {
    let config = only(exact().attempts(1)).breaker(breaker().on_open(on_open));
    let mut engine = Engine::new(config.per_host(1).events(true), 7, at(0));
    for n in 0..10 {
        engine
            .submit(get(&format!("http://a.test/{n}")), at(0))
            .unwrap();
    }
    let mut said = drain(&mut engine, at(0));
    for millis in [1, 2] {
        fail(&mut engine, &said.starts[0].clone(), at(millis));
        said = drain(&mut engine, at(millis));
    }
    (engine, said, at(2))
}
