use fetch_proto::{AttemptPhase, EngineConfig};

use super::*;
use crate::driver::exchange::start_exchange;
use crate::driver::permits::AttemptPermits;
use crate::driver::test_support::{FakeTransport, next_attempt, submit, test_engine};

/// Polls all woken exchanges and returns what they reported.
fn poll_all<F, S>(
    attempts: &mut AttemptRunner<FakeTransport, F, S>,
    fetches: &mut FetchTable,
) -> Vec<Input>
where
    F: AttemptExchange,
    S: Fn(&Arc<FakeTransport>, ExchangeStart, AttemptProgress) -> F,
{
    let cx = Context::from_waker(std::task::Waker::noop());
    let mut inputs = Vec::new();
    if let Poll::Ready(list) = attempts.poll_woken(&cx, true) {
        for index in list {
            attempts.poll_exchange(index, fetches, |_, input, _| inputs.push(input));
        }
    }
    inputs
}

#[test]
fn an_attempt_reports_its_phases_head_body_and_end() {
    let start = start_exchange::<FakeTransport>;
    let (transport, headers) = (Arc::new(FakeTransport), Arc::default());
    let settings = Settings::default();
    let mut attempts = AttemptRunner::new(transport, start, &settings, headers, Clock::start());
    let (mut engine, mut fetches) = (test_engine(EngineConfig::default()), FetchTable::default());
    let _consumer = submit("http://a.test/", &mut engine, &mut fetches);
    let mut permits = AttemptPermits::new(1, 0);
    let attempt = next_attempt(&mut engine);
    let (id, slot) = (attempt.id, attempt.id.fetch.slot());
    attempts.start(attempt, None, fetches.at_mut(slot).unwrap(), permits.take());
    let inputs = poll_all(&mut attempts, &mut fetches);
    let [Input::Mark(AttemptPhase::Sent, _), Input::Head(head)] = &inputs[..] else {
        panic!("{inputs:?}");
    };
    assert_eq!(head.status, 200);
    // It waits for the decision on the body.
    assert!(poll_all(&mut attempts, &mut fetches).is_empty());
    attempts.read_body(id, &mut fetches, |_| BodyMode::Collect);
    let inputs = poll_all(&mut attempts, &mut fetches);
    assert_eq!(inputs, [Input::Body { bytes: 1 }, Input::End(Ok(()))]);
    let fetch = fetches.at_mut(slot).unwrap();
    assert!(!fetch.is_in_flight());
    assert_eq!(fetch.result().chunks.concat(), b"x");
    // The permit is for the outcome, unless the fetch goes on.
    assert!(!permits.refill());
    attempts.release_permits(&mut fetches);
    let cx = Context::from_waker(std::task::Waker::noop());
    assert!(permits.poll(&cx).is_ready());
}

#[test]
fn an_aborted_attempt_keeps_its_phases_and_reports_nothing_more() {
    let start = start_exchange::<FakeTransport>;
    let (transport, headers) = (Arc::new(FakeTransport), Arc::default());
    let settings = Settings::default();
    let mut attempts = AttemptRunner::new(transport, start, &settings, headers, Clock::start());
    let (mut engine, mut fetches) = (test_engine(EngineConfig::default()), FetchTable::default());
    let _consumer = submit("http://a.test/never", &mut engine, &mut fetches);
    let mut permits = AttemptPermits::new(1, 0);
    let attempt = next_attempt(&mut engine);
    let (id, slot) = (attempt.id, attempt.id.fetch.slot());
    attempts.start(attempt, None, fetches.at_mut(slot).unwrap(), permits.take());
    attempts.abort(id, &mut fetches);
    let result = fetches.at_mut(slot).unwrap().result();
    assert_eq!(result.late_phases.len(), 1);
    assert!(result.permit.is_none());
    assert!(poll_all(&mut attempts, &mut fetches).is_empty());
    assert!(!fetches.at_mut(slot).unwrap().is_in_flight());
}
