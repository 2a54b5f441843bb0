use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn of(values: &[u64]) -> DurationHistogram {
    let mut histogram = DurationHistogram::default();
    values
        .iter()
        .for_each(|value| histogram.record(Duration::from_nanos(*value)));
    histogram
}

/// Values of every magnitude: a random word truncated to a random number of bits.
fn values(at_least: usize) -> impl Strategy<Value = Vec<u64>> {
    vec(
        (any::<u64>(), 0_u32..64).prop_map(|(word, cut)| word >> cut),
        at_least..200,
    )
}

#[test]
fn memory_is_bounded_and_allocated_lazily() {
    assert_eq!(DurationHistogram::default().buckets.capacity(), 0);
    assert!(size_of_val(of(&[u64::MAX]).buckets.as_slice()) <= 30 << 10);
    assert!(size_of_val(of(&[1_000_000_000]).buckets.as_slice()) <= 13 << 10);
}

#[test]
fn longest_duration_is_counted() {
    let mut histogram = of(&[1]);
    histogram.record(Duration::MAX);
    assert_eq!(
        histogram.percentile(10_000),
        Some(Duration::from_nanos(u64::MAX))
    );
    assert_eq!(histogram.percentile(u32::MAX), histogram.max());
    assert_eq!(histogram.percentile(0), histogram.min());
}

#[test]
fn empty_histogram_has_no_figures() {
    let empty = DurationHistogram::default();
    assert_eq!((empty.min(), empty.mean(), empty.max()), (None, None, None));
    assert_eq!(empty.percentile(0), None);
    assert_eq!(empty.summary(), HistogramSummary::default());
}

#[cfg(feature = "serde")]
#[test]
fn serialized_form_is_the_summary() {
    let histogram = of(&[5, 7]);
    let json = serde_json::to_string(&histogram).unwrap();
    assert_eq!(
        serde_json::from_str::<HistogramSummary>(&json).unwrap(),
        histogram.summary()
    );
}

proptest! {
    #[test]
    fn every_value_is_within_one_percent_of_its_bucket(word: u64, cut in 0_u32..64) {
        let value = word >> cut;
        prop_assert!(bucket_middle(bucket_index(value)).abs_diff(value) <= value / 100);
    }

    #[test]
    fn percentiles_are_within_one_percent(mut values in values(1), p in 0_u32..=10_000) {
        let found = of(&values).percentile(p).unwrap().as_nanos() as u64;
        values.sort_unstable();
        let rank = (values.len() * p as usize).div_ceil(10_000).max(1);
        let exact = values[rank - 1];
        prop_assert!(found.abs_diff(exact) <= exact / 100, "{found} for {exact}");
    }

    #[test]
    fn merging_equals_recording_all(a in values(0), b in values(0)) {
        let mut merged = of(&a);
        merged.merge(&of(&b));
        prop_assert_eq!(merged, of(&[a, b].concat()));
    }

    #[test]
    fn minimum_mean_and_maximum_are_exact(values in values(1)) {
        let histogram = of(&values);
        let sum: u128 = values.iter().map(|value| u128::from(*value)).sum();
        let mean = (sum / values.len() as u128) as u64;
        let exact = [*values.iter().min().unwrap(), mean, *values.iter().max().unwrap()];
        let found = [histogram.min(), histogram.mean(), histogram.max()];
        prop_assert_eq!(found, exact.map(|value| Some(Duration::from_nanos(value))));
    }
}
