use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const GUARD: StallGuard = StallGuard {
    grace: Duration::from_secs(20),
    min_bytes_per_second: 1,
    window: Duration::from_secs(1),
};

fn at(ms: u64) -> Timestamp {
    Timestamp::START + Duration::from_millis(ms)
}

/// A meter started at 0 s, with `(ms, bytes)` recorded.
fn meter_with(guard: &StallGuard, bytes: &[(u64, u64)]) -> ThroughputMeter {
    let mut meter = ThroughputMeter::new(at(0));
    bytes
        .iter()
        .for_each(|(ms, n)| meter.record_bytes(guard, *n, at(*ms)));
    meter
}

#[test]
fn size_is_small_because_each_attempt_has_one() {
    assert_eq!(size_of::<ThroughputMeter>(), 72);
}

#[test]
fn body_without_bytes_stalls_after_window_and_grace() {
    let meter = meter_with(&GUARD, &[]);
    assert_eq!(meter.deadline(&GUARD), Some(at(21_000)));
    assert!(!meter.is_stalled(&GUARD, at(20_999)) && meter.is_stalled(&GUARD, at(21_000)));
}

#[test]
fn recovery_restores_the_whole_grace() {
    let meter = meter_with(&GUARD, &[(0, 500), (20_900, 1)]);
    assert_eq!(meter.deadline(&GUARD), Some(at(41_900)));
}

#[test]
fn throughput_below_the_minimum_stalls() {
    let guard = StallGuard {
        min_bytes_per_second: 100,
        ..GUARD
    };
    let trickle: Vec<_> = (0..220).map(|i| (100 * i, 9)).collect();
    let meter = meter_with(&guard, &trickle);
    assert_eq!(meter.deadline(&guard), Some(at(21_000)));
    assert!(meter.is_stalled(&guard, at(21_900)));
}

#[test]
fn throughput_at_the_minimum_never_stalls() {
    let guard = StallGuard {
        min_bytes_per_second: 100,
        ..GUARD
    };
    let mut meter = ThroughputMeter::new(at(0));
    for i in 0..1000 {
        meter.record_bytes(&guard, 10, at(100 * i));
        assert!(!meter.is_stalled(&guard, at(100 * i)));
    }
}

#[test]
fn throughput_is_measured_over_the_window() {
    // A megabyte at the start does not compensate for later silence.
    let meter = meter_with(&GUARD, &[(100, 1_000_000)]);
    assert_eq!(meter.deadline(&GUARD), Some(at(21_100)));
}

#[test]
fn deadline_is_when_the_remaining_bytes_no_longer_suffice() {
    let guard = StallGuard {
        min_bytes_per_second: 10,
        ..GUARD
    };
    let meter = meter_with(&guard, &[(2000, 8), (2300, 8), (2600, 8)]);
    assert_eq!(
        meter.deadline(&guard),
        Some(at(23_300)),
        "8 are left once the 8 of 2.3 s are gone"
    );
}

/// The false alarm of risingwavelabs/risingwave #16170: of many streams that are merged, some are
/// not read for long.
#[test]
fn slow_consumer_is_not_a_stall() {
    let mut meter = meter_with(&GUARD, &[(0, 100)]);
    meter.pause(at(500));
    assert_eq!(meter.deadline(&GUARD), None);
    assert!(!meter.is_stalled(&GUARD, at(3_600_000)));
    meter.resume(&GUARD, at(3_600_500));
    assert_eq!(meter.deadline(&GUARD), Some(at(3_600_000 + 21_000)));
}

#[test]
fn frequent_short_reads_are_not_a_stall() {
    let mut meter = ThroughputMeter::new(at(0));
    for round in 0..1000 {
        let begin = 60_000 * round;
        meter.resume(&GUARD, at(begin));
        meter.record_bytes(&GUARD, 1 << 16, at(begin + 5));
        assert!(!meter.is_stalled(&GUARD, at(begin + 10)));
        meter.pause(at(begin + 10));
    }
}

#[test]
fn server_has_a_window_to_resume_after_a_long_pause() {
    let mut meter = meter_with(&GUARD, &[]);
    meter.pause(at(20_990));
    meter.resume(&GUARD, at(80_000));
    assert_eq!(meter.deadline(&GUARD), Some(at(81_000)));
}

#[test]
fn short_pauses_do_not_hide_a_stall() {
    let mut meter = ThroughputMeter::new(at(0));
    let mut now = 0;
    while !meter.is_stalled(&GUARD, at(now)) {
        meter.pause(at(now + 90));
        meter.resume(&GUARD, at(now + 100));
        now += 100;
        assert!(now < 60_000);
    }
    assert_eq!(now, 23_400, "21 s of reading");
}

/// The false alarms of awslabs/aws-sdk-rust #1141 and #1166: the server is still processing the
/// request, and no body is wanted yet.
#[test]
fn waiting_for_the_response_head_is_no_stall() {
    let mut meter = meter_with(&GUARD, &[]);
    meter.pause(at(0));
    assert!(!meter.is_stalled(&GUARD, at(600_000)));
    meter.resume(&GUARD, at(600_000));
    assert_eq!(meter.deadline(&GUARD), Some(at(621_000)));
}

#[test]
fn bytes_recorded_after_a_suspension_prevent_a_stall() {
    let mut meter = meter_with(&GUARD, &[(0, 100)]);
    meter.record_bytes(&GUARD, 100, at(900_000));
    assert!(!meter.is_stalled(&GUARD, at(900_000)));
}

#[test]
fn pause_and_resume_are_idempotent() {
    let mut meter = meter_with(&GUARD, &[]);
    let same = meter.clone();
    meter.resume(&GUARD, at(100));
    assert_eq!(meter, same);
    meter.pause(at(100));
    meter.pause(at(200));
    meter.resume(&GUARD, at(300));
    meter.resume(&GUARD, at(400));
    assert_eq!(meter.deadline(&GUARD), Some(at(21_200)));
}

#[test]
fn extremes_do_not_overflow() {
    let guards = [
        StallGuard {
            window: Duration::ZERO,
            ..GUARD
        },
        StallGuard {
            window: Duration::MAX,
            grace: Duration::MAX,
            min_bytes_per_second: u64::MAX,
        },
        StallGuard {
            min_bytes_per_second: u64::MAX,
            ..GUARD
        },
    ];
    for guard in guards {
        let mut meter = ThroughputMeter::new(at(5));
        for now in [at(0), Timestamp::MAX, at(1), Timestamp::MAX] {
            meter.record_bytes(&guard, u64::MAX, now);
            meter.pause(now);
            meter.resume(&guard, Timestamp::MAX);
            assert!(meter.deadline(&guard).is_some());
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn serialized_state_resumes_unchanged() {
    let mut meter = meter_with(&GUARD, &[(100, 7)]);
    meter.pause(at(200));
    let json = serde_json::to_string(&meter).unwrap();
    assert_eq!(
        serde_json::from_str::<ThroughputMeter>(&json).unwrap(),
        meter
    );
}

/// Reference: evaluates the definition for every millisecond.
fn stalled_at(guard: &StallGuard, bytes: &[(u64, u64)], until: u64) -> Option<u64> {
    let mut slow_for = 0;
    (0..until).find(|now| {
        let window = (now / 100).saturating_sub(9)..=now / 100;
        let come = bytes
            .iter()
            .filter(|(ms, _)| ms <= now && window.contains(&(ms / 100)));
        let sum: u64 = come.map(|(_, n)| n).sum();
        let slow = *now >= 1000 && sum < guard.min_bytes_per_second;
        slow_for = if slow { slow_for + 1 } else { 0 };
        slow_for > guard.grace.as_millis()
    })
}

proptest! {
    // Few cases, because the reference is slow.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn agrees_with_the_definition(
        gaps in vec((0_u64..1200, 0_u64..40), 0..30),
        min_bytes_per_second in 1_u64..60,
        grace in 1_u64..3000,
    ) {
        let grace = Duration::from_millis(grace);
        let guard = StallGuard { grace, min_bytes_per_second, ..GUARD };
        let mut now = 0;
        let bytes: Vec<_> = gaps.iter().map(|(gap, n)| { now += gap; (now, *n) }).collect();
        let expected = stalled_at(&guard, &bytes, now + 6_000).unwrap();
        // Records one at a time, and checks before each.
        let mut meter = ThroughputMeter::new(at(0));
        let mut found = None;
        for (ms, n) in &bytes {
            let passed = meter.deadline(&guard).filter(|deadline| *deadline < at(*ms));
            found = found.or(passed);
            meter.record_bytes(&guard, *n, at(*ms));
        }
        let last = meter.deadline(&guard);
        prop_assert_eq!(found.or(last), Some(at(expected)));
    }
}
