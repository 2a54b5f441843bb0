//! What the exhaustive and the random runs have found, each as a short story.

use std::time::Duration;

use fetch_proto::{
    Breaker, Config, Engine, Error, Failure, Input, OnOpen, Output, Policy, Request, Rules,
    Timestamp,
};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_start(Duration::from_millis(millis))
}

fn get(url: &str) -> Request {
    Request::get(url.parse().unwrap())
}

/// All that the engine says until it is idle for the first time.
fn said(engine: &mut Engine, now: Timestamp) -> Vec<Output> {
    let mut said = Vec::new();
    loop {
        match engine.poll(now) {
            Output::Idle(_) => return said,
            output => said.push(output),
        }
    }
}

fn start(engine: &mut Engine, now: Timestamp) -> fetch_proto::Attempt {
    let mut said = said(engine, now).into_iter();
    let start = said.find_map(|output| match output {
        Output::Start(attempt) => Some(attempt),
        _ => None,
    });
    start.expect("an attempt starts")
}

#[test]
fn a_fetch_that_an_open_circuit_refuses_ends_before_the_engine_is_idle() {
    let breaker = Breaker::default().consecutive(1).on_open(OnOpen::FailFast);
    let rules = Rules::only(Policy::default().attempts(1));
    let mut engine = Engine::new(Config::default().breaker(breaker).rules(rules), 0, at(0));
    engine.submit(get("http://a.test/1"), at(0)).unwrap();
    let first = start(&mut engine, at(0));
    engine.handle(first.id, Input::End(Err(Failure::Io)), at(1));
    let _ = said(&mut engine, at(1));
    engine.submit(get("http://a.test/2"), at(2)).unwrap();
    let last = said(&mut engine, at(2)).pop().expect("it says something");
    assert!(matches!(last, Output::Done(_, outcome) if outcome.result == Err(Error::CircuitOpen)));
}
