//! Every interleaving of a few fetches, hosts and events, to a bounded depth.

mod harness;

use self::harness::{Answer, Harness, Kind, Op, Policies, Site};

const ANSWERS: [Answer; 4] = [
    Answer::Ok,
    Answer::Io,
    Answer::Throttled,
    Answer::Unavailable,
];

/// How many events follow the submissions. One more takes some eight times as long.
const DEPTH: usize = 4;

/// All ways on from here. How many states were seen.
fn explore(harness: &Harness, depth: usize, answers: &[Answer], others: &[Op]) -> u64 {
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
        if matches!(op, Op::Cancel { .. }) {
            // The driver may hear of something else before it polls.
            seen += explore(&next, depth - 1, answers, others);
        }
        next.drain();
        seen += explore(&next, depth - 1, answers, others);
    }
    seen
}

fn check(policies: Policies, submitted: &[(Site, Kind)], answers: &[Answer], others: &[Op]) {
    let mut harness = Harness::new(policies);
    for (site, kind) in submitted {
        let (site, kind) = (*site, *kind);
        harness.apply(Op::Submit { site, kind });
    }
    harness.drain();
    let seen = explore(&harness, DEPTH, answers, others);
    println!("{policies:?}: {seen} states");
}

const TWO: [(Site, Kind); 2] = [(Site::A, Kind::Get), (Site::A2, Kind::Get)];
const THREE: [(Site, Kind); 3] = [
    (Site::A, Kind::Get),
    (Site::A2, Kind::Post),
    (Site::B, Kind::Get),
];

#[test]
fn breakers_that_defer() {
    check(Policies::BREAKER, &TWO, &ANSWERS, &[]);
}

#[test]
fn breakers_that_fail_fast() {
    check(
        Policies::FAIL_FAST | Policies::FALLBACK,
        &TWO,
        &ANSWERS,
        &[],
    );
}

#[test]
fn budgets_of_a_host_and_of_all() {
    check(Policies::HOST_BUDGET, &TWO, &ANSWERS, &[]);
    check(Policies::TOKENS, &TWO, &ANSWERS, &[]);
}

#[test]
fn hedges() {
    check(Policies::HEDGE, &TWO, &ANSWERS, &[]);
}

#[test]
fn limits_that_adapt_and_limits_that_do_not() {
    check(Policies::AIMD, &THREE, &ANSWERS[..3], &[]);
    check(Policies::PER_HOST | Policies::LONE, &THREE, &ANSWERS, &[]);
}

#[test]
fn rates_of_a_rule() {
    check(
        Policies::RULE_RATE | Policies::QUEUE_LIMIT,
        &THREE,
        &ANSWERS,
        &[],
    );
}

#[test]
fn shared_responses() {
    let all = [(Site::A, Kind::Shared); 3];
    check(
        Policies::QUEUE_LIMIT | Policies::FALLBACK,
        &all,
        &ANSWERS,
        &[],
    );
}

#[test]
fn targets_with_two_endpoints() {
    let all = [(Site::Service, Kind::Get), (Site::Service, Kind::Post)];
    check(Policies::TARGETS | Policies::PER_HOST, &all, &ANSWERS, &[]);
    let change = [Op::Configure(Policies::PER_HOST)];
    check(
        Policies::TARGETS | Policies::BREAKER,
        &all,
        &ANSWERS[..2],
        &change,
    );
}

#[test]
fn faults_on_purpose() {
    check(Policies::CHAOS, &TWO, &ANSWERS[..2], &[]);
}

#[test]
fn redirects_restarts_and_slow_consumers() {
    let answers = [Answer::Redirect, Answer::Head, Answer::Ok];
    let others = [Op::Restore { later: false }, Op::Hold, Op::Release];
    check(Policies::PER_HOST, &TWO, &answers, &others);
}
