//! Explores every interleaving of a few fetches, hosts and events, to a bounded depth.

mod harness;

use self::harness::{EngineHarness, Operation, PolicySet, RequestKind, RequestSite, ServerAnswer};

const ANSWERS: [ServerAnswer; 4] = [
    ServerAnswer::Ok,
    ServerAnswer::Io,
    ServerAnswer::Throttled,
    ServerAnswer::Unavailable,
];

/// The number of events after the submissions. Each additional event makes the run take about eight
/// times as long.
const DEPTH: usize = 4;

/// Explores all continuations of a state. Returns the number of states.
fn explore(
    harness: &EngineHarness,
    depth: usize,
    answers: &[ServerAnswer],
    others: &[Operation],
) -> u64 {
    if depth == 0 {
        let mut last = harness.clone();
        last.drain();
        last.check_restart();
        last.finish();
        return 1;
    }
    let mut seen = 1;
    for op in harness.choices(answers, others) {
        let mut next = harness.clone();
        next.apply(op);
        if matches!(op, Operation::Cancel { .. }) {
            // The driver may report another input before it polls.
            seen += explore(&next, depth - 1, answers, others);
        }
        next.drain();
        seen += explore(&next, depth - 1, answers, others);
    }
    seen
}

fn check(
    policies: PolicySet,
    submitted: &[(RequestSite, RequestKind)],
    answers: &[ServerAnswer],
    others: &[Operation],
) {
    let mut harness = EngineHarness::new(policies);
    for (site, kind) in submitted {
        let (site, kind) = (*site, *kind);
        harness.apply(Operation::Submit { site, kind });
    }
    harness.drain();
    let seen = explore(&harness, DEPTH, answers, others);
    println!("{policies:?}: {seen} states");
}

const TWO: [(RequestSite, RequestKind); 2] = [
    (RequestSite::A, RequestKind::Get),
    (RequestSite::A2, RequestKind::Get),
];
const THREE: [(RequestSite, RequestKind); 3] = [
    (RequestSite::A, RequestKind::Get),
    (RequestSite::A2, RequestKind::Post),
    (RequestSite::B, RequestKind::Get),
];

#[test]
fn breakers_that_defer() {
    check(PolicySet::BREAKER, &TWO, &ANSWERS, &[]);
}

#[test]
fn breakers_that_fail_fast() {
    check(
        PolicySet::FAIL_FAST | PolicySet::FALLBACK,
        &TWO,
        &ANSWERS,
        &[],
    );
}

#[test]
fn budgets_of_a_host_and_of_all() {
    check(PolicySet::HOST_BUDGET, &TWO, &ANSWERS, &[]);
    check(PolicySet::TOKENS, &TWO, &ANSWERS, &[]);
}

#[test]
fn hedges() {
    check(PolicySet::HEDGE, &TWO, &ANSWERS, &[]);
}

#[test]
fn limits_that_adapt_and_limits_that_do_not() {
    check(PolicySet::AIMD, &THREE, &ANSWERS[..3], &[]);
    check(PolicySet::PER_HOST | PolicySet::LONE, &THREE, &ANSWERS, &[]);
}

#[test]
fn rates_of_a_rule() {
    check(
        PolicySet::RULE_RATE | PolicySet::QUEUE_LIMIT,
        &THREE,
        &ANSWERS,
        &[],
    );
}

#[test]
fn shared_responses() {
    let all = [(RequestSite::A, RequestKind::Shared); 3];
    check(
        PolicySet::QUEUE_LIMIT | PolicySet::FALLBACK,
        &all,
        &ANSWERS,
        &[],
    );
}

#[test]
fn targets_with_two_endpoints() {
    let all = [
        (RequestSite::Service, RequestKind::Get),
        (RequestSite::Service, RequestKind::Post),
    ];
    check(
        PolicySet::TARGETS | PolicySet::PER_HOST,
        &all,
        &ANSWERS,
        &[],
    );
    let change = [Operation::Configure(PolicySet::PER_HOST)];
    check(
        PolicySet::TARGETS | PolicySet::BREAKER,
        &all,
        &ANSWERS[..2],
        &change,
    );
}

#[test]
fn faults_on_purpose() {
    check(PolicySet::CHAOS, &TWO, &ANSWERS[..2], &[]);
}

#[test]
fn redirects_restarts_and_slow_consumers() {
    let answers = [ServerAnswer::Redirect, ServerAnswer::Head, ServerAnswer::Ok];
    let others = [
        Operation::Restore { later: false },
        Operation::Hold,
        Operation::Release,
    ];
    check(PolicySet::PER_HOST, &TWO, &answers, &others);
}
