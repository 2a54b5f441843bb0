use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn aimd(initial: u32) -> ConcurrencyLimiter {
    ConcurrencyLimiter::new(
        AdaptiveConcurrency::Aimd(Aimd {
            initial,
            ..Aimd::default()
        }),
        0,
    )
}

fn vegas(initial: u32, max: u32) -> ConcurrencyLimiter {
    ConcurrencyLimiter::new(
        AdaptiveConcurrency::Vegas(Vegas {
            initial,
            max,
            ..Vegas::default()
        }),
        0,
    )
}

/// Updates with every answer.
fn gradient2(initial: u32) -> ConcurrencyLimiter {
    let algorithm = Gradient2 {
        initial,
        min_samples: 1,
        window: Duration::ZERO,
        ..Gradient2::default()
    };
    ConcurrencyLimiter::new(AdaptiveConcurrency::Gradient2(algorithm), 0)
}

fn all() -> [ConcurrencyLimiter; 3] {
    [aimd(20), vegas(20, 1000), gradient2(20)]
}

/// The limit after each answer of `(milliseconds, in flight)`.
fn limits(limiter: &mut ConcurrencyLimiter, samples: &[(u32, usize)]) -> Vec<usize> {
    let limit = |(ms, in_flight): &(u32, usize)| {
        limiter.record(MS * *ms, *in_flight, false, Timestamp::START);
        limiter.limit()
    };
    samples.iter().map(limit).collect()
}

/// Netflix/concurrency-limits,
/// concurrency-limits-core/src/test/java/com/netflix/concurrency/limits/limit/AIMDLimitTest.java:
/// `testDefault`, `increaseOnSuccess`, `decreaseOnDrops`, `successOverflow`.
#[test]
fn aimd_matches_netflix() {
    assert_eq!(aimd(10).limit(), 10);
    assert_eq!(limits(&mut aimd(20), &[(1, 10)]), [21]);
    let mut dropped = aimd(30);
    dropped.record(Duration::ZERO, 0, true, Timestamp::START);
    assert_eq!(dropped.limit(), 27);
    let full = Aimd {
        initial: 21,
        max: 21,
        min: 0,
        ..Aimd::default()
    };
    assert_eq!(
        limits(
            &mut ConcurrencyLimiter::new(AdaptiveConcurrency::Aimd(full), 0),
            &[(1, 10)]
        ),
        [21]
    );
}

/// Helidon, common/concurrency/limits/src/test/java/io/helidon/common/concurrency/limits/
/// AimdLimitTest.java: `decreaseOnTimeoutExceeded`.
#[test]
fn aimd_counts_a_late_answer_as_a_drop() {
    let algorithm = Aimd {
        initial: 30,
        timeout: 1000 * MS,
        ..Aimd::default()
    };
    let mut limiter = ConcurrencyLimiter::new(AdaptiveConcurrency::Aimd(algorithm), 0);
    limiter.record(
        1000 * MS + Duration::from_nanos(1),
        0,
        false,
        Timestamp::START,
    );
    assert_eq!(limiter.limit(), 27);
}

/// Netflix/concurrency-limits, .../limits/limit/VegasLimitTest.java: `largeLimitIncrease`,
/// `increaseLimit`, `decreaseLimit`, `noChangeIfWithinThresholds`.
#[test]
fn vegas_matches_netflix() {
    type Row = (u32, u32, [(u32, usize); 2], [usize; 2]);
    let table: [Row; 4] = [
        (
            10_000,
            20_000,
            [(10_000, 5_000), (10_000, 6_000)],
            [10_000, 10_024],
        ),
        (10, 20, [(10, 10), (10, 11)], [10, 16]),
        (10, 20, [(10, 10), (50, 11)], [10, 9]),
        (10, 20, [(10, 10), (14, 14)], [10, 10]),
    ];
    for (initial, max, samples, expected) in table {
        assert_eq!(
            limits(&mut vegas(initial, max), &samples),
            expected,
            "{samples:?}"
        );
    }
}

#[test]
fn vegas_ignores_a_single_fast_round_trip() {
    for lucky_at in 0..20 {
        let mut limiter = vegas(20, 20);
        let rtt = |i| if i == lucky_at { 1 } else { 10 };
        let samples: Vec<_> = (0..200).map(|i| (rtt(i), 20)).collect();
        let lowest = limits(&mut limiter, &samples).into_iter().min().unwrap();
        // Until the third answer, the first one may determine the median.
        assert!(
            lowest >= if lucky_at < 2 { 19 } else { 20 },
            "{lucky_at}: {lowest}"
        );
        assert_eq!(limiter.limit(), 20);
    }
}

#[test]
fn vegas_ignores_the_round_trip_of_a_drop() {
    let mut limiter = vegas(20, 20);
    limits(&mut limiter, &[(10, 20); 5]);
    (0..5).for_each(|_| limiter.record(MS, 20, true, Timestamp::START));
    assert_eq!(limiter.limit(), 15);
    assert_eq!(
        limits(&mut limiter, &[(10, 20)]),
        [20],
        "10 ms are still no queue"
    );
}

#[test]
fn vegas_adapts_to_a_permanently_slower_server() {
    let mut limiter = vegas(20, 1000);
    limits(&mut limiter, &[(10, 20); 10]);
    let slower = limits(&mut limiter, &[(100, 2000); 20_000]);
    assert_eq!(slower.last(), Some(&1000));
}

#[test]
fn vegas_probes_at_times_drawn_from_the_seed() {
    let algorithm = AdaptiveConcurrency::Vegas(Vegas {
        initial: 50,
        max: 50,
        ..Vegas::default()
    });
    let probed = |seed| {
        let mut limiter = ConcurrencyLimiter::new(algorithm, seed);
        let n = (1..)
            .find(|_| {
                limits(&mut limiter, &[(10, 1)]);
                matches!(limiter.algorithm, LimitAlgorithm::Vegas(_, state) if state.has_probed())
            })
            .unwrap();
        assert!((750..=1500).contains(&n), "{n}");
        n
    };
    assert_eq!(probed(1), probed(1));
    assert_ne!(probed(1), probed(2));
}

#[test]
fn gradient2_grows_by_a_fifth_of_the_queue_while_nothing_slows_down() {
    let limits = limits(&mut gradient2(20), &[(10, 100); 5]);
    assert_eq!(limits, [20, 21, 22, 23, 24], "0.8 each");
}

#[test]
fn gradient2_shrinks_when_answers_slow_down_and_settles_at_eight() {
    // At the lower bound γ = ½, L = ½L + 4 holds for 8.
    let mut limiter = gradient2(100);
    limits(&mut limiter, &[(10, 100); 10]);
    let slow: Vec<_> = (0..40).map(|i| (40 + 4 * i, 200)).collect();
    let limits = limits(&mut limiter, &slow);
    assert!(
        limits.is_sorted_by(|a, b| a >= b) && limits[39] < 15,
        "{limits:?}"
    );
}

#[test]
fn gradient2_tolerates_one_and_a_half_times_the_round_trip() {
    let mut limiter = gradient2(20);
    limits(&mut limiter, &[(10, 100); 10]);
    let before = limiter.limit();
    limits(&mut limiter, &[(14, 100); 10]);
    assert_eq!(limiter.limit(), before + 8, "0.8 each");
}

#[test]
fn gradient2_long_term_average_shrinks_after_a_load() {
    let mut limiter = gradient2(20);
    limits(&mut limiter, &[(100, 100); 10]);
    limits(&mut limiter, &[(10, 100); 60]);
    let LimitAlgorithm::Gradient2(_, state) = limiter.algorithm else {
        unreachable!("it was made so")
    };
    let long = state.long_term();
    assert!(
        long < Duration::from_millis(25),
        "{long:?}: the average alone would be at 83 ms"
    );
}

#[test]
fn gradient2_updates_once_per_window_with_enough_answers() {
    let mut limiter =
        ConcurrencyLimiter::new(AdaptiveConcurrency::Gradient2(Gradient2::default()), 0);
    let mut at = |ms: u32, n: usize| {
        (0..n).for_each(|_| limiter.record(MS, 20, false, Timestamp::START + MS * ms));
        limiter.limit
    };
    assert_eq!(at(0, 100), 20 * ONE, "the window lasts a second");
    assert!(at(1000, 1) > 20 * ONE);
    let before = at(1000, 1);
    assert_eq!(at(9000, 8), before, "nine are too few");
    assert!(at(9000, 1) > before);
}

#[test]
fn gradient2_ignores_round_trips_below_min_rtt() {
    let mut limiter = gradient2(20);
    limiter.record(Duration::from_micros(99), 20, false, Timestamp::START);
    assert_eq!(limiter, gradient2(20));
}

#[test]
fn drop_lowers_every_limit() {
    for mut limiter in all() {
        limits(&mut limiter, &[(10, 1); 10]);
        let before = limiter.limit();
        limiter.record(MS, before, true, Timestamp::START);
        assert!(limiter.limit() < before, "{limiter:?}");
    }
}

#[test]
fn idle_time_does_not_grow_the_limit() {
    for mut limiter in all() {
        limits(&mut limiter, &[(10, 9); 1000]);
        assert_eq!(limiter.limit(), 20, "{limiter:?}");
    }
}

#[test]
fn contradictory_bounds_are_clamped() {
    for (initial, max, min, expected) in [(0, 0, 0, 1), (9, 3, 5, 5), (1, 9, 4, 4), (20, 9, 4, 9)] {
        let algorithm = Aimd {
            initial,
            max,
            min,
            ..Aimd::default()
        };
        assert_eq!(
            ConcurrencyLimiter::new(AdaptiveConcurrency::Aimd(algorithm), 0).limit(),
            expected
        );
    }
}

#[test]
fn new_config_keeps_limit_and_measurements() {
    let mut limiter = vegas(20, 1000);
    let grown = *limits(&mut limiter, &[(10, 50); 5]).last().unwrap();
    let before = limiter.algorithm.clone();
    let probe = Vegas {
        probe: 99,
        ..Vegas::default()
    };
    limiter.set_config(AdaptiveConcurrency::Vegas(probe));
    assert_eq!(
        (limiter.limit(), limiter.config()),
        (grown, AdaptiveConcurrency::Vegas(probe))
    );
    let (LimitAlgorithm::Vegas(_, old), LimitAlgorithm::Vegas(_, new)) =
        (before, limiter.algorithm)
    else {
        unreachable!("both are")
    };
    assert_eq!(old, new);
}

#[cfg(feature = "serde")]
#[test]
fn serialized_state_resumes_unchanged() {
    for mut limiter in all() {
        limits(&mut limiter, &[(10, 30), (20, 30), (15, 30)]);
        let json = serde_json::to_string(&limiter).unwrap();
        assert_eq!(
            serde_json::from_str::<ConcurrencyLimiter>(&json).unwrap(),
            limiter
        );
    }
    let short = serde_json::from_str::<AdaptiveConcurrency>(r#"{"vegas": {"max": 9}}"#).unwrap();
    assert_eq!(
        short,
        AdaptiveConcurrency::Vegas(Vegas {
            max: 9,
            ..Vegas::default()
        })
    );
}

proptest! {
    #[test]
    fn limit_stays_within_its_bounds_and_above_zero(
        min in 0_u32..5,
        max in 0_u32..50,
        samples in vec((0_u64..u64::MAX, 0_usize..100, any::<bool>()), 0..300),
    ) {
        let laws = [
            AdaptiveConcurrency::Aimd(Aimd { max, min, ..Aimd::default() }),
            AdaptiveConcurrency::Gradient2(Gradient2 {
                max, min, min_samples: 1, window: Duration::ZERO, ..Gradient2::default()
            }),
            AdaptiveConcurrency::Vegas(Vegas { max, min, ..Vegas::default() }),
        ];
        for algorithm in laws {
            let mut limiter = ConcurrencyLimiter::new(algorithm, 3);
            for (rtt, in_flight, dropped) in &samples {
                limiter.record(Duration::from_nanos(*rtt), *in_flight, *dropped, Timestamp::START);
                let limit = limiter.limit() as u32;
                prop_assert!(min.max(1) <= limit && limit <= max.max(min).max(1));
            }
        }
    }

    #[test]
    fn drops_never_lower_the_limit_below_one(drops in 200_usize..500) {
        for mut limiter in all() {
            (0..drops).for_each(|_| limiter.record(MS, 1, true, Timestamp::START));
            prop_assert_eq!(limiter.limit(), 1);
        }
    }
}
