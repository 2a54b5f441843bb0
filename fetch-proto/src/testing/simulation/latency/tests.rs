use alloc::vec::Vec;

use super::*;

/// 100,000 draws in microseconds, sorted.
fn draws(latency: LatencyModel) -> Vec<u128> {
    let draw = |n| latency.draw(mix(7, n)).as_micros();
    let mut all: Vec<_> = (0..100_000).map(draw).collect();
    all.sort_unstable();
    all
}

#[track_caller]
fn assert_near(found: u128, wanted: u128) {
    let off = found.abs_diff(wanted);
    assert!(off * 100 <= wanted * 4, "{found} is not near {wanted}");
}

#[test]
fn an_exponential_latency_has_its_mean_and_its_tail() {
    let all = draws(LatencyModel::exponential(Duration::from_millis(10)));
    assert_near(all.iter().sum::<u128>() / 100_000, 10_000);
    assert_near(all[50_000], 6_931);
    assert_near(all[99_000], 46_052);
}

#[test]
fn a_log_normal_latency_has_its_median_and_its_p99() {
    let ms = Duration::from_millis;
    let all = draws(LatencyModel::log_normal(ms(20), ms(400)));
    assert_near(all[50_000], 20_000);
    assert_near(all[99_000], 400_000);
    // The same ratio below the median as above it.
    assert_near(all[1_000], 1_000);
    // 20 ms × 20^(1.281552 / 2.326348)
    assert_near(all[90_000], 104_200);
}

#[test]
fn draws_match_the_given_percentiles() {
    let ms = Duration::from_millis;
    let all = draws(LatencyModel::percentiles(
        ms(20),
        ms(80),
        ms(300),
        ms(2_000),
    ));
    assert_near(all[50_000], 20_000);
    assert_near(all[90_000], 80_000);
    assert_near(all[99_000], 300_000);
    assert!(all[0] >= 10_000 && all[99_999] <= 2_000_000);
}

#[test]
fn extreme_draws_are_bounded() {
    let second = Duration::from_secs(1);
    for word in [0, 1, 2, u64::MAX - 1, u64::MAX] {
        assert!(LatencyModel::exponential(second).draw(word) < second * 45);
        assert!(LatencyModel::log_normal(second, second * 10).draw(word) < second * 150);
        let longest = LatencyModel::log_normal(Duration::from_nanos(1), Duration::MAX);
        assert!(longest.draw(word) <= Duration::from_nanos(u64::MAX));
    }
}

#[test]
fn logarithm_and_power_are_inverse() {
    for number in [1, 3, 10, 1_000, 123_456_789] {
        let back = exp2(log2(number)) >> 32;
        assert!(back.abs_diff(u128::from(number)) <= 1, "{number}: {back}");
    }
}
