use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::policy::Backoff;

const START: Timestamp = Timestamp::START;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn exact() -> TokenPolicy {
    TokenPolicy::default().backoff(Backoff::default().jitter(None))
}

/// A grant with a token of this life, which was acquired at the start.
fn granted(lifetime: Option<Duration>) -> TokenGrant {
    let mut grant = TokenGrant::new(exact(), 7);
    acquire(&mut grant, lifetime, START);
    grant
}

fn acquire(grant: &mut TokenGrant, lifetime: Option<Duration>, now: Timestamp) {
    let _ = grant.request_token(now);
    assert!(
        grant.poll(now).is_some(),
        "an acquisition is needed at {now}"
    );
    grant.acquired(lifetime, now);
}

#[test]
fn any_number_of_requests_share_one_acquisition() {
    let mut grant = TokenGrant::new(exact(), 7);
    let mut acquisitions = 0;
    for _ in 0..1000 {
        assert_eq!(grant.request_token(START), TokenAnswer::Wait);
        acquisitions += usize::from(grant.poll(START).is_some());
    }
    grant.acquired(Some(seconds(5)), START);
    for _ in 0..1000 {
        assert_eq!(
            grant.request_token(START),
            TokenAnswer::Use { generation: 1 }
        );
        acquisitions += usize::from(grant.poll(START).is_some());
    }
    assert_eq!(acquisitions, 1);
}

#[test]
fn the_token_is_used_while_it_is_refreshed() {
    let mut grant = granted(Some(seconds(100)));
    let late = START + seconds(85);
    assert_eq!(
        grant.request_token(late),
        TokenAnswer::Use { generation: 1 }
    );
    assert_eq!(grant.poll(late), Some(2), "the refresh");
    assert_eq!(
        grant.request_token(late),
        TokenAnswer::Use { generation: 1 }
    );
    assert_eq!(grant.poll(late), None);
    grant.acquired(Some(seconds(100)), late + seconds(1));
    assert_eq!(
        grant.request_token(late + seconds(1)),
        TokenAnswer::Use { generation: 2 }
    );
}

#[test]
fn nothing_is_refreshed_that_no_request_needs() {
    let mut grant = granted(Some(seconds(100)));
    assert_eq!(grant.poll(START + seconds(99)), None);
    assert_eq!(grant.wake(), None);
}

#[test]
fn a_refresh_begins_at_a_share_of_the_life() {
    // Life, then the last second at which no refresh is due, and the first at which one is.
    for (life, before, after) in [
        (10, 6, 9),
        (60, 41, 49),
        (3600, 3149, 3301),
        (86_400, 85_949, 86_101),
    ] {
        let mut grant = granted(Some(seconds(life)));
        let _ = grant.request_token(START + seconds(before));
        assert_eq!(grant.poll(START + seconds(before)), None, "life {life}");
        let _ = grant.request_token(START + seconds(after));
        assert_eq!(grant.poll(START + seconds(after)), Some(2), "life {life}");
    }
}

#[test]
fn a_life_counts_from_the_start_of_its_acquisition() {
    let mut grant = TokenGrant::new(exact(), 7);
    let _ = (grant.request_token(START), grant.poll(START));
    let answered = START + seconds(3);
    grant.acquired(Some(seconds(10)), answered);
    assert_eq!(
        grant.request_token(START + seconds(8)),
        TokenAnswer::Use { generation: 1 }
    );
    assert_eq!(grant.request_token(START + seconds(9)), TokenAnswer::Wait);
}

#[test]
fn a_token_that_has_ended_when_it_arrives_is_a_failure_that_may_pass() {
    let mut grant = TokenGrant::new(exact(), 7);
    let _ = (grant.request_token(START), grant.poll(START));
    grant.acquired(Some(seconds(1)), START + seconds(2));
    assert_eq!(grant.request_token(START + seconds(2)), TokenAnswer::Wait);
    assert_eq!(grant.wake(), Some(START + seconds(3)));
}

#[test]
fn a_server_that_returns_the_same_token_until_its_end_is_asked_a_few_times() {
    let mut grant = granted(Some(seconds(3600)));
    let mut acquisitions = 0;
    for second in 0..3590 {
        let now = START + seconds(second);
        let _ = grant.request_token(now);
        if grant.poll(now).is_some() {
            grant.acquired(Some(seconds(3600 - second)), now);
            acquisitions += 1;
        }
    }
    assert!((1..=4).contains(&acquisitions), "{acquisitions}");
}

#[test]
fn failures_that_may_pass_are_waited_out_with_growing_pauses() {
    let mut grant = TokenGrant::new(exact(), 7);
    let (mut now, mut pauses) = (START, Vec::new());
    for _ in 0..4 {
        let _ = grant.request_token(now);
        assert!(grant.poll(now).is_some());
        grant.failed(TokenFailure::Unavailable, None, now);
        assert_eq!(grant.request_token(now), TokenAnswer::Wait);
        assert_eq!(grant.poll(now), None);
        let wake = grant.wake().expect("a request waits");
        pauses.push(wake.saturating_since(now).as_secs());
        now = wake;
    }
    assert_eq!(pauses, [1, 2, 4, 8]);
}

#[test]
fn the_pause_is_as_long_as_the_token_server_asks_for() {
    let mut grant = TokenGrant::new(exact(), 7);
    let _ = (grant.request_token(START), grant.poll(START));
    grant.failed(TokenFailure::Unavailable, Some(seconds(20)), START);
    let _ = grant.request_token(START);
    assert_eq!(grant.wake(), Some(START + seconds(20)));
}

#[test]
fn requests_fail_during_the_pause_after_many_failures_and_wait_again_after_it() {
    let mut grant = TokenGrant::new(exact().max_failures(1), 7);
    let _ = (grant.request_token(START), grant.poll(START));
    grant.failed(TokenFailure::Unavailable, None, START);
    let denied = TokenAnswer::Denied(TokenFailure::Unavailable);
    assert_eq!(grant.request_token(START), denied);
    assert_eq!(grant.request_token(START + seconds(1)), TokenAnswer::Wait);
    assert!(grant.poll(START + seconds(1)).is_some());
}

#[test]
fn a_token_is_used_to_its_end_though_its_refresh_fails() {
    for failure in [TokenFailure::Unavailable, TokenFailure::Refused] {
        let mut grant = granted(Some(seconds(100)));
        let now = START + seconds(85);
        let _ = grant.request_token(now);
        assert!(grant.poll(now).is_some());
        grant.failed(failure, None, now);
        assert_eq!(grant.request_token(now), TokenAnswer::Use { generation: 1 });
        let ended = match failure.is_final() {
            true => TokenAnswer::Denied(failure),
            false => TokenAnswer::Wait,
        };
        assert_eq!(grant.request_token(START + seconds(95)), ended);
    }
}

#[test]
fn a_refusal_of_the_latest_token_causes_one_acquisition_and_one_of_an_older_token_none() {
    let mut grant = granted(None);
    let mut acquisitions = 0;
    for _ in 0..100 {
        assert_eq!(grant.reject(1, START), TokenRejection::SendAgain);
        acquisitions += usize::from(grant.poll(START).is_some());
    }
    grant.acquired(None, START);
    for _ in 0..100 {
        assert_eq!(grant.reject(1, START), TokenRejection::SendAgain);
        acquisitions += usize::from(grant.poll(START).is_some());
    }
    assert_eq!(acquisitions, 1);
}

#[test]
fn a_refusal_during_a_refresh_waits_for_that_refresh() {
    let mut grant = granted(Some(seconds(100)));
    let now = START + seconds(85);
    let _ = grant.request_token(now);
    assert!(grant.poll(now).is_some());
    assert_eq!(grant.reject(1, now), TokenRejection::SendAgain);
    assert_eq!(grant.request_token(now), TokenAnswer::Wait);
    grant.acquired(Some(seconds(100)), now);
    assert_eq!(grant.poll(now), None, "no second one");
}

#[test]
fn refusals_that_a_new_token_does_not_cure_cause_fewer_and_fewer_acquisitions() {
    let mut grant = granted(None);
    grant.accept(1, false); // other requests succeed
    let mut acquired = vec![];
    for second in 0..100 {
        let now = START + seconds(second);
        if grant.reject(grant.generation(), now) == TokenRejection::SendAgain {
            assert!(grant.poll(now).is_some());
            grant.acquired(None, now);
            acquired.push(second);
        }
    }
    assert_eq!(acquired, [0, 1, 3, 7, 15, 31, 61, 91]);
}

#[test]
fn the_pause_between_forced_acquisitions_starts_over_when_one_helps() {
    let mut grant = granted(None);
    for generation in 1..50 {
        assert_eq!(grant.reject(generation, START), TokenRejection::SendAgain);
        assert!(grant.poll(START).is_some());
        grant.acquired(None, START);
        grant.accept(generation + 1, true);
    }
}

#[test]
fn a_server_that_refuses_each_new_token_ends_the_grant() {
    let mut grant = granted(None);
    let mut acquisitions = 1;
    for second in 0..100 {
        let now = START + seconds(second);
        let _ = grant.reject(grant.generation(), now);
        if grant.poll(now).is_some() {
            grant.acquired(None, now);
            acquisitions += 1;
        }
    }
    assert_eq!(acquisitions, 4);
    assert_eq!(grant.broken(), Some(TokenFailure::Useless));
    let denied = TokenAnswer::Denied(TokenFailure::Useless);
    assert_eq!(grant.request_token(START + seconds(100)), denied);
}

#[test]
fn reports_without_an_acquisition_are_ignored() {
    let mut grant = TokenGrant::new(exact(), 7);
    grant.acquired(None, START);
    grant.failed(TokenFailure::Refused, None, START);
    assert_eq!((grant.generation(), grant.broken()), (0, None));
}

/// What may happen to a grant in the exhaustive test.
#[derive(Clone, Copy, Debug)]
enum GrantStep {
    Acquire(Option<u64>),
    Fail(TokenFailure),
    Pass(u64),
    Reject,
    RejectOlder,
    Request,
}

const STEPS: [GrantStep; 8] = [
    GrantStep::Acquire(Some(10)),
    GrantStep::Acquire(None),
    GrantStep::Fail(TokenFailure::Unavailable),
    GrantStep::Fail(TokenFailure::Refused),
    GrantStep::Pass(9),
    GrantStep::Reject,
    GrantStep::RejectOlder,
    GrantStep::Request,
];

/// Runs the steps beside the simplest model, and checks every answer.
fn check_steps(steps: impl IntoIterator<Item = GrantStep>) {
    let mut grant = TokenGrant::new(exact(), 7);
    let (mut now, mut in_progress) = (START, None);
    // The end of the latest token, and whether it was refused.
    let mut token: Option<(Option<Timestamp>, bool)> = None;
    for step in steps {
        match step {
            GrantStep::Acquire(life) => {
                grant.acquired(life.map(seconds), now);
                if let Some(since) = in_progress.take() {
                    let end = life.map(|life| since + seconds(life));
                    if grant.usable_token(now).is_some() {
                        token = Some((end, false));
                    }
                }
            }
            GrantStep::Fail(failure) => {
                grant.failed(failure, None, now);
                in_progress = None;
            }
            GrantStep::Pass(wait) => now = now + seconds(wait),
            GrantStep::Reject => {
                let _ = grant.reject(grant.generation(), now);
                // A final refusal is that of the request, not of the token.
                if grant.usable_token(now).is_none() {
                    token = token.map(|(end, _)| (end, true));
                }
            }
            GrantStep::RejectOlder => {
                let before = grant.request_token(now);
                let _ = grant.reject(grant.generation().wrapping_sub(1), now);
                assert_eq!(grant.request_token(now), before, "the latest is still used");
            }
            GrantStep::Request => {}
        }
        let answer = grant.request_token(now);
        if grant.poll(now).is_some() {
            assert_eq!(in_progress, None, "at most one acquisition");
            in_progress = Some(now);
        }
        match answer {
            TokenAnswer::Use { .. } => {
                let (end, is_refused) = token.expect("a token was acquired");
                assert!(
                    !is_refused && end.is_none_or(|end| now < end),
                    "a dead token"
                );
            }
            TokenAnswer::Wait => {
                assert!(
                    in_progress.is_some() || grant.wake().is_some(),
                    "it waits for ever"
                );
            }
            TokenAnswer::Denied(_) => assert_eq!(in_progress, None),
        }
    }
}

#[test]
fn all_short_histories_keep_the_promises() {
    let length = 6;
    for number in 0..STEPS.len().pow(length) {
        let digits = (0..length).map(|place| number / STEPS.len().pow(place) % STEPS.len());
        check_steps(digits.map(|digit| STEPS[digit]));
    }
}

proptest! {
    #[test]
    fn long_histories_keep_the_promises(
        steps in proptest::collection::vec((0..STEPS.len(), 0u64..40), 0..60)
    ) {
        let steps = steps.into_iter().flat_map(|(at, wait)| [GrantStep::Pass(wait), STEPS[at]]);
        check_steps(steps);
    }
}
