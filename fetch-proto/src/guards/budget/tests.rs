use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::time::Timestamp;
use RetryKind::{Throttled, Timeout, Transient};

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u32) -> Timestamp {
    Timestamp::START + SECOND * seconds
}

fn ratio(per_mille: u32, min_per_second: u32, seconds: u32) -> RetryBudget {
    RetryBudget::Ratio {
        min_per_second,
        per_mille,
        ttl: SECOND * seconds,
    }
}

fn capacity(capacity: u32) -> RetryBudget {
    let (retry_cost, throttle_cost, timeout_cost) = (5, 5, 10);
    RetryBudget::Capacity {
        capacity,
        retry_cost,
        throttle_cost,
        timeout_cost,
    }
}

/// Number of retries allowed when each of `requests` requests asks for one.
fn count_retries(tokens: &mut RetryTokens, requests: u32) -> u64 {
    let mut retried = 0;
    for _ in 0..requests {
        tokens.record_request(at(0));
        match tokens.try_retry(Transient, at(0)) {
            Some(_) => retried += 1,
            None => assert_eq!(tokens.available_retries(at(0)), 0),
        }
    }
    retried
}

/// The cases of Finagle's RetryBudgetTest.scala
/// (finagle-core/src/test/scala/com/twitter/finagle/service/RetryBudgetTest.scala) that per mille
/// can express (not 0.9999 and 0.0001). Finagle allows a deviation of 1; this test allows none.
#[test]
fn ratio_allows_a_fraction_of_the_requests_plus_the_minimum() {
    let table = [
        (100, 0, 60),
        (500, 0, 60),
        (250, 0, 60),
        (750, 0, 60),
        (990, 0, 60),
        (999, 0, 60),
        (10, 0, 60),
        (1, 0, 60),
        (0, 10, 1),
        (0, 5, 2),
        (100, 10, 1),
        (500, 5, 2),
        (0, 0, 10),
    ];
    for (per_mille, min_per_second, ttl) in table {
        let mut tokens = RetryTokens::new(ratio(per_mille, min_per_second, ttl));
        let minimum = u64::from(min_per_second * ttl);
        assert_eq!(tokens.available_retries(at(0)), minimum);
        let expected = minimum + u64::from(10 * per_mille);
        assert_eq!(
            count_retries(&mut tokens, 10_000),
            expected,
            "{per_mille} ‰"
        );
    }
}

/// Finagle's "maxPercentOver greater than 1.0".
#[test]
fn ratio_above_one_allows_more_retries_than_requests() {
    let mut tokens = RetryTokens::new(ratio(2000, 0, 60));
    assert!(tokens.try_retry(Transient, at(0)).is_none());
    (0..10_000).for_each(|_| tokens.record_request(at(0)));
    assert_eq!(tokens.available_retries(at(0)), 20_000);
}

/// tower's `TpsBudget` rounds the cost of a retry to a whole number: 0.7 becomes 1.0, and 0.3 a
/// third.
#[test]
fn ratio_is_not_rounded() {
    for per_mille in [300, 333, 700, 999] {
        let mut tokens = RetryTokens::new(ratio(per_mille, 0, 10));
        let mut retried = 0;
        for n in 1..=1000 {
            retried += count_retries(&mut tokens, 1);
            assert_eq!(retried, n * u64::from(per_mille) / 1000, "{n} requests");
        }
    }
}

#[test]
fn requests_allow_retries_within_ttl() {
    let mut tokens = RetryTokens::new(ratio(1000, 0, 10));
    tokens.record_request(at(0));
    tokens.record_request(at(5));
    assert_eq!(
        [9, 10, 14, 15].map(|s| tokens.available_retries(at(s))),
        [2, 1, 1, 0]
    );
}

// failsafe-go #139.
#[test]
fn minimum_is_restored_over_time() {
    let mut tokens = RetryTokens::new(ratio(0, 2, 10));
    let take = |tokens: &mut RetryTokens, now| {
        (0..50)
            .filter_map(|_| tokens.try_retry(Timeout, now))
            .count()
    };
    assert_eq!(take(&mut tokens, at(0)), 20);
    assert_eq!(take(&mut tokens, at(9)), 0);
    assert_eq!(take(&mut tokens, at(10)), 20);
}

/// smithy-rs, rust-runtime/aws-smithy-runtime/src/client/retries/strategy/standard.rs: tests
/// `no_quota`, `quota_replenishes_on_success` and `quota_replenishes_on_first_try_success`. A
/// transient error there has the cost of a timeout here.
#[test]
fn empty_bucket_allows_no_retry() {
    let mut tokens = RetryTokens::new(capacity(5));
    let paid = tokens.try_retry(Transient, at(0));
    assert!(paid.is_some());
    assert_eq!(tokens.try_retry(Transient, at(0)), None);
    assert_eq!(tokens.available_retries(at(0)), 0);
    tokens.record_success(paid, at(0));
    assert_eq!(
        tokens.available_retries(at(0)),
        1,
        "a success returns the cost of the last retry"
    );
}

#[test]
fn success_returns_the_cost_of_the_last_retry_only() {
    let mut tokens = RetryTokens::new(capacity(100));
    let paid = [(); 2].map(|()| tokens.try_retry(Timeout, at(0)));
    assert_eq!(tokens.available_retries(at(0)), 80 / 5);
    tokens.record_success(paid[1], at(0));
    assert_eq!(tokens.available_retries(at(0)), 90 / 5);
}

#[test]
fn success_without_retry_returns_one_up_to_the_capacity() {
    let mut tokens = RetryTokens::new(capacity(20));
    while tokens.try_retry(Timeout, at(0)).is_some() {}
    for given in 1..=30 {
        tokens.record_success(None, at(0));
        assert_eq!(tokens.available_retries(at(0)), given.min(20) / 5);
        assert_eq!(tokens.idle_at() <= at(0), given >= 20, "{given}");
    }
}

/// smithy-rs, …/retries/token_bucket.rs: `test_bounded_permits_exhaustion`,
/// `test_unlimited_token_bucket`.
#[test]
fn bucket_allows_as_many_retries_as_fit_and_unlimited_free_ones() {
    let retries = |config| {
        let mut tokens = RetryTokens::new(config);
        (0..100)
            .filter_map(|_| tokens.try_retry(Throttled, at(0)))
            .count()
    };
    assert_eq!(retries(capacity(10)), 2);
    let free = RetryBudget::Capacity {
        capacity: 0,
        retry_cost: 0,
        throttle_cost: 0,
        timeout_cost: 0,
    };
    assert_eq!(retries(free), 100);
    assert_eq!(RetryTokens::new(free).available_retries(at(0)), u64::MAX);
}

#[test]
fn each_retry_kind_has_its_cost() {
    // The costs of the AWS SDKs' retry mode 2.1.
    let config = RetryBudget::Capacity {
        capacity: 500,
        retry_cost: 14,
        throttle_cost: 5,
        timeout_cost: 14,
    };
    let count = |kind| {
        let mut tokens = RetryTokens::new(config);
        (0..500)
            .filter_map(|_| tokens.try_retry(kind, at(0)))
            .count()
    };
    assert_eq!([Transient, Throttled, Timeout].map(count), [35, 100, 35]);
}

/// gRPC, test/core/client_channel/retry_throttle_test.cc: `ServerRetryThrottleData.Basic`. `None`
/// is a success.
#[test]
fn tokens_allow_retries_while_more_than_half_are_left() {
    let mut tokens = RetryTokens::new(RetryBudget::Tokens {
        max: 4,
        success_per_mille: 1600,
    });
    let events = [
        Some(true),
        None,
        Some(true),
        Some(false),
        Some(false),
        Some(false),
        Some(false),
        None,
        None,
        Some(true),
        Some(false),
        None,
        Some(false),
        None,
        Some(true),
    ];
    for (i, event) in events.into_iter().enumerate() {
        match event {
            None => tokens.record_success(None, at(0)),
            Some(allowed) => {
                assert_eq!(tokens.can_retry(Transient, at(0)), allowed, "event {i}");
                assert_eq!(
                    tokens.try_retry(Transient, at(0)).is_some(),
                    allowed,
                    "event {i}"
                );
            }
        }
    }
}

#[test]
fn one_thousandth_above_half_is_enough() {
    for max in [4, 5] {
        let mut tokens = RetryTokens::new(RetryBudget::Tokens {
            max,
            success_per_mille: 1,
        });
        while tokens.available_retries(at(0)) > 0 {
            tokens.record_failure(at(0));
        }
        let missing = u32::from(max == 5) * 500;
        (0..missing).for_each(|_| tokens.record_success(None, at(0)));
        assert!(
            !tokens.can_retry(Transient, at(0)),
            "of {max}, half are left after it"
        );
        tokens.record_success(None, at(0));
        assert!(tokens.can_retry(Transient, at(0)), "of {max}");
    }
}

/// The same file: `ServerRetryThrottleData.Replacement`.
#[test]
fn new_token_limit_keeps_the_relative_fill() {
    let token_bucket = |max, success_per_mille| RetryBudget::Tokens {
        max,
        success_per_mille,
    };
    let mut tokens = RetryTokens::new(token_bucket(4, 1000));
    assert!(tokens.try_retry(Transient, at(0)).is_some());
    tokens.set_config(token_bucket(10, 3000));
    let allowed = [(); 4].map(|()| tokens.try_retry(Transient, at(0)).is_some());
    assert_eq!(allowed, [true, true, false, false]);
    tokens.record_success(None, at(0));
    let allowed = [(); 2].map(|()| tokens.try_retry(Transient, at(0)).is_some());
    assert_eq!(allowed, [true, false]);
}

#[test]
fn failure_without_retry_only_takes_a_token() {
    for (config, changed) in [
        (RetryBudget::TOKENS, true),
        (RetryBudget::RATIO, false),
        (RetryBudget::CAPACITY, false),
    ] {
        let mut tokens = RetryTokens::new(config);
        tokens.record_failure(at(0));
        assert_eq!(tokens != RetryTokens::new(config), changed, "{config:?}");
    }
}

#[test]
fn new_budget_keeps_the_state() {
    let mut tokens = RetryTokens::new(ratio(500, 0, 10));
    (0..100).for_each(|_| tokens.record_request(at(0)));
    (0..20).for_each(|_| assert!(tokens.try_retry(Transient, at(0)).is_some()));
    tokens.set_config(ratio(100, 1, 60));
    assert_eq!(tokens.available_retries(at(50)), 30 + 60);
    tokens.set_config(capacity(50));
    assert_eq!(
        tokens.available_retries(at(50)),
        10,
        "another kind resets the state"
    );
    tokens.try_retry(Timeout, at(50)).unwrap();
    tokens.set_config(capacity(500));
    assert_eq!(tokens.available_retries(at(50)), 80, "four fifths full");
}

#[test]
fn is_idle_once_the_state_equals_a_new_one() {
    let mut tokens = RetryTokens::new(RetryBudget::RATIO);
    tokens.record_request(at(3));
    assert!(tokens.idle_at() > at(12) && tokens.idle_at() <= at(13));
    let mut tokens = RetryTokens::new(RetryBudget::CAPACITY);
    let paid = tokens.try_retry(Transient, at(3));
    assert!(tokens.idle_at() > at(302) && tokens.idle_at() <= at(303));
    tokens.record_success(paid, at(4));
    assert!(tokens.idle_at() <= at(4));
}

#[test]
fn clock_running_backwards_adds_nothing() {
    let mut tokens = RetryTokens::new(ratio(0, 1, 10));
    while tokens.try_retry(Transient, at(100)).is_some() {}
    for now in [0, 99, 100, 109] {
        assert_eq!(tokens.available_retries(at(now)), 0);
    }
    assert_eq!(tokens.available_retries(at(110)), 10);
}

#[test]
fn extremes_do_not_overflow() {
    let (most, ttl) = (u32::MAX, Duration::MAX);
    let configs = [
        RetryBudget::Ratio {
            min_per_second: most,
            per_mille: most,
            ttl,
        },
        RetryBudget::Ratio {
            min_per_second: most,
            per_mille: most,
            ttl: Duration::ZERO,
        },
        RetryBudget::Capacity {
            capacity: most,
            retry_cost: most,
            throttle_cost: most,
            timeout_cost: most,
        },
        RetryBudget::Tokens {
            max: most,
            success_per_mille: most,
        },
        RetryBudget::Tokens {
            max: 0,
            success_per_mille: 0,
        },
    ];
    for config in configs {
        let mut tokens = RetryTokens::new(config);
        for (now, next) in [Timestamp::MAX, Timestamp::START].into_iter().zip(configs) {
            tokens.record_request(now);
            let paid = tokens.try_retry(Timeout, now);
            tokens.record_success(paid, now);
            tokens.record_failure(now);
            assert!(tokens.idle_at() <= Timestamp::MAX && tokens.available_retries(now) < u64::MAX);
            tokens.set_config(next);
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn budgets_and_their_state_survive_json() {
    for config in [
        RetryBudget::RATIO,
        RetryBudget::CAPACITY,
        RetryBudget::TOKENS,
    ] {
        let mut tokens = RetryTokens::new(config);
        tokens.record_request(at(1));
        let paid = tokens.try_retry(Timeout, at(1));
        let json = serde_json::to_string(&(&tokens, paid)).unwrap();
        let read = serde_json::from_str::<(RetryTokens, Option<RetryCost>)>(&json).unwrap();
        assert_eq!(read, (tokens, paid));
    }
    let text = r#"{"tokens":{"max":10,"success_per_mille":100}}"#;
    assert_eq!(
        serde_json::from_str::<RetryBudget>(text).unwrap(),
        RetryBudget::TOKENS
    );
}

proptest! {
    #[test]
    fn no_span_exceeds_the_formula(
        steps in vec((0_u64..800, 0_u32..4, 0_u32..4), 1..150),
        per_mille in 0_u32..2500, min_per_second in 0_u32..4, seconds in 1_u32..12,
    ) {
        let mut tokens = RetryTokens::new(ratio(per_mille, min_per_second, seconds));
        let ttl = u64::from(seconds) * 1000;
        let (mut ms, mut requests, mut retries) = (0, Vec::new(), Vec::new());
        for (step, new, wanted) in steps {
            ms += step;
            let now = Timestamp::START + Duration::from_millis(ms);
            (0..new).for_each(|_| tokens.record_request(now));
            requests.extend((0..new).map(|_| ms));
            let taken = (0..wanted).filter_map(|_| tokens.try_retry(Transient, now)).count();
            retries.extend((0..taken).map(|_| ms));
            // At least nine slots are still counted, at most ten.
            let within = |times: &[u64], span| {
                times.iter().filter(|t| *t + span > ms).count() as u64
            };
            let allowed = within(&requests, ttl) * u64::from(per_mille)
                + ttl * u64::from(min_per_second);
            prop_assert!(taken == 0 || within(&retries, ttl * 9 / 10) * 1000 <= allowed);
            prop_assert_eq!(tokens.available_retries(now) > 0, tokens.can_retry(Transient, now));
        }
    }

    #[test]
    fn available_retries_equal_the_retries_allowed(
        kind in 0_usize..3, size in 0_u32..40, price in 1_u32..8, events in vec(0_u32..3, 0..60),
    ) {
        let config = [
            ratio(price * 100, size, 1),
            RetryBudget::Capacity {
                capacity: size, retry_cost: price, throttle_cost: price, timeout_cost: price,
            },
            RetryBudget::Tokens { max: size, success_per_mille: price * 300 },
        ][kind];
        let mut tokens = RetryTokens::new(config);
        let mut paid = None;
        for event in events {
            match event {
                0 => tokens.record_request(at(0)),
                1 => tokens.record_success(paid.take(), at(0)),
                _ => paid = tokens.try_retry(Transient, at(0)),
            }
            let mut emptied = tokens.clone();
            let taken = (0..1000).take_while(|_| emptied.try_retry(Transient, at(0)).is_some());
            prop_assert_eq!(taken.count() as u64, tokens.available_retries(at(0)));
        }
    }
}
