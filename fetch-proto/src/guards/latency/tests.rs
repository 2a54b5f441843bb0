use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn at(seconds: u64) -> Timestamp {
    Timestamp::START + Duration::from_secs(seconds)
}

/// Periods of 10 s with at least three samples; records three durations of `ms` at each of
/// `seconds`.
fn recorded(ms_at_seconds: &[(u32, u64)]) -> RecentLatency {
    let mut recent = RecentLatency::new(Duration::from_secs(10), 3);
    for (ms, seconds) in ms_at_seconds {
        (0..3).for_each(|_| recent.record(MS * *ms, at(*seconds)));
    }
    recent
}

#[test]
fn last_full_period_is_evaluated() {
    let recent = recorded(&[(10, 3), (99, 12)]);
    assert_eq!(recent.quantile(500, at(13)), Some(10 * MS));
    assert_eq!(recent.quantile(500, at(20)), Some(99 * MS));
}

#[test]
fn current_period_is_evaluated_while_there_is_no_other() {
    let recent = recorded(&[(10, 3)]);
    assert_eq!(recent.quantile(500, at(3)), Some(10 * MS));
}

#[test]
fn samples_expire_after_two_periods() {
    let mut recent = recorded(&[(10, 3)]);
    assert_eq!(recent.quantile(500, at(19)), Some(10 * MS));
    assert_eq!(recent.quantile(500, at(20)), None);
    recent.record(MS, at(50));
    assert_eq!(recent.quantile(500, at(50)), None);
}

#[test]
fn last_period_with_too_few_samples_is_skipped() {
    let mut recent = recorded(&[]);
    recent.record(500 * MS, at(1));
    assert_eq!(recent.quantile(950, at(1)), None);
    (0..3).for_each(|_| recent.record(10 * MS, at(11)));
    assert_eq!(recent.quantile(950, at(11)), Some(10 * MS));
}

#[test]
fn clock_running_backwards_is_harmless() {
    let mut recent = recorded(&[(10, 30)]);
    recent.record(10 * MS, at(1));
    assert_eq!(recent.quantile(1000, at(1)), Some(10 * MS));
}

#[test]
fn memory_is_bounded() {
    let mut recent = recorded(&[]);
    (0..64).for_each(|bit| recent.record(Duration::from_nanos(1 << bit), at(1)));
    recent.record(Duration::MAX, at(1));
    let bytes = recent.current.buckets.capacity() * 4 + size_of::<LatencyBuckets>();
    assert!(bytes <= 712, "{bytes}");
}

#[test]
fn buckets_are_contiguous() {
    for index in 0..BUCKETS - 1 {
        assert_eq!(
            (
                bucket_index(bucket_end(index)),
                bucket_index(bucket_end(index) + 1)
            ),
            (index, index + 1)
        );
    }
}

#[cfg(feature = "serde")]
#[test]
fn serialized_state_resumes_unchanged() {
    let recent = recorded(&[(10, 3), (99, 12)]);
    let json = serde_json::to_string(&recent).unwrap();
    assert_eq!(
        serde_json::from_str::<RecentLatency>(&json).unwrap(),
        recent
    );
}

proptest! {
    #[test]
    fn quantile_is_never_below_and_at_most_an_eighth_above_the_exact_one(
        mut nanos in vec(131_072_u64..100_000_000_000, 1..200),
        per_mille in 0_u16..=1000,
    ) {
        let mut recent = RecentLatency::new(Duration::from_secs(10), 1);
        nanos.iter().for_each(|n| recent.record(Duration::from_nanos(*n), at(1)));
        nanos.sort_unstable();
        let rank = (nanos.len() * usize::from(per_mille)).div_ceil(1000).max(1);
        let exact = nanos[rank - 1];
        let found = recent.quantile(per_mille, at(1)).unwrap().as_nanos() as u64;
        prop_assert!(exact <= found && found <= exact + exact / 8, "{exact} {found}");
    }
}
