use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn at(seconds: u64) -> Timestamp {
    Timestamp::START + Duration::from_secs(seconds)
}

/// Periods of 10 s, three durations at least; three of `ms` recorded at each of `seconds`.
fn recorded(ms_at_seconds: &[(u32, u64)]) -> Recent {
    let mut recent = Recent::new(Duration::from_secs(10), 3);
    for (ms, seconds) in ms_at_seconds {
        (0..3).for_each(|_| recent.record(MS * *ms, at(*seconds)));
    }
    recent
}

#[test]
fn the_last_full_period_is_told_and_not_the_present_one() {
    let recent = recorded(&[(10, 3), (99, 12)]);
    assert_eq!(recent.quantile(500, at(13)), Some(10 * MS));
    assert_eq!(recent.quantile(500, at(20)), Some(99 * MS));
}

#[test]
fn the_present_period_is_told_while_it_is_all_there_is() {
    let recent = recorded(&[(10, 3)]);
    assert_eq!(recent.quantile(500, at(3)), Some(10 * MS));
}

#[test]
fn what_is_two_periods_old_is_not_told() {
    let mut recent = recorded(&[(10, 3)]);
    assert_eq!(recent.quantile(500, at(19)), Some(10 * MS));
    assert_eq!(recent.quantile(500, at(20)), None);
    recent.record(MS, at(50));
    assert_eq!(recent.quantile(500, at(50)), None);
}

#[test]
fn too_few_in_the_last_period_are_no_rule() {
    let mut recent = recorded(&[]);
    recent.record(500 * MS, at(1));
    assert_eq!(recent.quantile(950, at(1)), None);
    (0..3).for_each(|_| recent.record(10 * MS, at(11)));
    assert_eq!(recent.quantile(950, at(11)), Some(10 * MS));
}

#[test]
fn a_clock_that_goes_back_is_harmless() {
    let mut recent = recorded(&[(10, 30)]);
    recent.record(10 * MS, at(1));
    assert_eq!(recent.quantile(1000, at(1)), Some(10 * MS));
}

#[test]
fn its_memory_is_bounded() {
    let mut recent = recorded(&[]);
    (0..64).for_each(|bit| recent.record(Duration::from_nanos(1 << bit), at(1)));
    recent.record(Duration::MAX, at(1));
    let bytes = recent.gathering.buckets.capacity() * 4 + size_of::<Spread>();
    assert!(bytes <= 712, "{bytes}");
}

#[test]
fn buckets_follow_each_other_without_a_gap() {
    for index in 0..BUCKETS - 1 {
        assert_eq!(
            (bucket(end(index)), bucket(end(index) + 1)),
            (index, index + 1)
        );
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_checkpoint_goes_on_where_it_stopped() {
    let recent = recorded(&[(10, 3), (99, 12)]);
    let json = serde_json::to_string(&recent).unwrap();
    assert_eq!(serde_json::from_str::<Recent>(&json).unwrap(), recent);
}

proptest! {
    #[test]
    fn a_quantile_is_never_below_the_exact_one_and_close_above(
        mut nanos in vec(131_072_u64..100_000_000_000, 1..200),
        per_mille in 0_u16..=1000,
    ) {
        let mut recent = Recent::new(Duration::from_secs(10), 1);
        nanos.iter().for_each(|n| recent.record(Duration::from_nanos(*n), at(1)));
        nanos.sort_unstable();
        let rank = (nanos.len() * usize::from(per_mille)).div_ceil(1000).max(1);
        let exact = nanos[rank - 1];
        let told = recent.quantile(per_mille, at(1)).unwrap().as_nanos() as u64;
        prop_assert!(exact <= told && told <= exact + exact / 8, "{exact} {told}");
    }
}
