use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::time::Timestamp;

const SECOND: u64 = 1_000_000_000;

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

/// The times at which `n` events are admitted if each comes as early as possible.
fn earliest_times(gcra: &mut RateLimiter, n: usize) -> Vec<u64> {
    let mut now = Timestamp::START;
    let mut take = || {
        now = gcra.next_allowed(now);
        gcra.try_acquire(now).unwrap();
        now.as_nanos()
    };
    (0..n).map(|_| take()).collect()
}

#[test]
fn rates_are_parsed_as_in_curl() {
    let table = [
        ("50/s", 50, SECOND),
        ("10/m", 10, 60 * SECOND),
        ("3/h", 3, 3600 * SECOND),
        ("1/d", 1, 86_400 * SECOND),
        ("2/500ms", 2, SECOND / 2),
        ("7/90s", 7, 90 * SECOND),
    ];
    for (text, count, per) in table {
        let rate = rate(text);
        assert_eq!(
            (rate.count().get(), rate.per, rate.burst.get()),
            (count, per, 1),
            "{text}"
        );
        assert_eq!(rate.to_string(), text);
    }
}

#[test]
fn invalid_rates_are_rejected_with_a_reason() {
    let table = [
        ("", "the unit of time is missing"),
        ("50", "the unit of time is missing"),
        ("0/s", "count must be"),
        ("-1/s", "count must be"),
        ("+1/s", "count must be"),
        ("4294967296/s", "count must be"),
        ("1/", "unit must be"),
        ("1/5", "unit must be"),
        ("1/week", "unit must be"),
        ("1/0s", "over zero"),
        ("1/999999999d", "under 584 years"),
    ];
    for (text, why) in table {
        let error = text.parse::<Rate>().unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn burst_is_admitted_at_once_and_then_the_rate() {
    let five = rate("10/s").burst(NonZeroU32::new(3).unwrap());
    let times = earliest_times(&mut RateLimiter::new(five), 6);
    assert_eq!(times, [0, 0, 0, SECOND / 10, SECOND / 5, 3 * SECOND / 10]);
}

#[test]
fn three_per_second_do_not_drift() {
    let two = NonZeroU32::new(2).unwrap();
    let times = earliest_times(&mut RateLimiter::new(rate("3/s").burst(two)), 300_002);
    assert_eq!(times[2], 333_333_334, "rounded up, never early");
    assert_eq!(
        times[300_001],
        100_000 * SECOND,
        "but exact in the long run"
    );
}

#[test]
fn without_burst_each_event_is_less_than_a_nanosecond_late() {
    let last = earliest_times(&mut RateLimiter::new(rate("3/s")), 301)[300];
    assert!((100 * SECOND..100 * SECOND + 300).contains(&last), "{last}");
}

#[test]
fn idle_time_restores_the_burst_and_no_more() {
    let mut gcra = RateLimiter::new(Rate::per_second(NonZeroU32::new(4).unwrap()));
    let rested = at(1000 * SECOND);
    let admitted = (0..10).filter(|_| gcra.try_acquire(rested).is_ok()).count();
    assert_eq!(admitted, 4);
}

#[test]
fn clock_running_backwards_admits_nothing_more() {
    let mut gcra = RateLimiter::new(rate("1/s"));
    gcra.try_acquire(at(10 * SECOND)).unwrap();
    assert_eq!(gcra.try_acquire(at(SECOND)), Err(at(11 * SECOND)));
    assert!(!gcra.is_idle(at(SECOND)));
    assert_eq!(gcra.try_acquire(at(11 * SECOND)), Ok(()));
}

#[test]
fn new_rate_keeps_the_debt() {
    let mut gcra = RateLimiter::new(rate("3/s"));
    gcra.try_acquire(at(0)).unwrap();
    gcra.set_rate(rate("7/m"));
    assert_eq!(gcra.next_allowed(at(0)), at(333_333_334));
    assert!(!gcra.is_idle(at(333_333_333)) && gcra.is_idle(at(333_333_334)));
}

#[test]
fn extremes_do_not_overflow() {
    let most = NonZeroU32::MAX;
    let slow = Rate::new(NonZeroU32::MIN, Duration::MAX).unwrap();
    for rate in [
        slow,
        slow.burst(most),
        Rate::per_second(most),
        Rate::new(most, Duration::MAX).unwrap(),
    ] {
        let mut gcra = RateLimiter::new(rate);
        for now in [at(0), Timestamp::MAX, Timestamp::MAX] {
            let admitted = gcra.try_acquire(now);
            assert!(admitted.is_ok() || admitted > Err(now) || now == Timestamp::MAX);
        }
        for other in [
            slow.burst(most),
            Rate::new(most, Duration::MAX).unwrap(),
            slow,
        ] {
            gcra.set_rate(other);
            assert!(gcra.next_allowed(at(0)) <= Timestamp::MAX);
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn rates_survive_json_and_zero_is_rejected() {
    let rate = rate("3/s").burst(NonZeroU32::new(2).unwrap());
    let json = serde_json::to_string(&rate).unwrap();
    assert_eq!(serde_json::from_str::<Rate>(&json).unwrap(), rate);
    let zero = serde_json::from_str::<Rate>(r#"{"count":1,"per":{"secs":0,"nanos":0}}"#);
    assert!(zero.unwrap_err().to_string().contains("over zero"));
}

proptest! {
    #[test]
    fn no_span_exceeds_burst_and_rate(
        count in 1_u32..20,
        per in 1_u64..1000,
        burst in 1_u32..10,
        times in vec(0_u64..3000, 1..200),
    ) {
        let nonzero = |n| NonZeroU32::new(n).unwrap();
        let rate = Rate::new(nonzero(count), Duration::from_nanos(per)).unwrap();
        let mut gcra = RateLimiter::new(rate.burst(nonzero(burst)));
        // The times are in any order, so the clock also runs backwards.
        let mut admitted: Vec<u64> = times.into_iter().filter(|t| gcra.try_acquire(at(*t)).is_ok()).collect();
        admitted.sort_unstable();
        for (i, from) in admitted.iter().enumerate() {
            for (j, to) in admitted.iter().enumerate().skip(i) {
                let allowed = u64::from(burst) + (to - from) * u64::from(count) / per;
                prop_assert!((j - i + 1) as u64 <= allowed, "{} in {from}..={to}", j - i + 1);
            }
        }
    }

    #[test]
    fn next_allowed_is_the_first_time_admitted(
        count in 1_u32..20, per in 1_u64..1000, burst in 1_u32..10, taken in 1_usize..50,
    ) {
        let nonzero = |n| NonZeroU32::new(n).unwrap();
        let rate = Rate::new(nonzero(count), Duration::from_nanos(per)).unwrap();
        let mut gcra = RateLimiter::new(rate.burst(nonzero(burst)));
        earliest_times(&mut gcra, taken);
        let next = gcra.next_allowed(Timestamp::START);
        prop_assert!(gcra.clone().try_acquire(next).is_ok());
        if let Some(before) = next.as_nanos().checked_sub(1) {
            prop_assert_eq!(gcra.try_acquire(at(before)), Err(next));
        }
    }

    #[test]
    fn new_rate_never_admits_before_the_debt_is_paid(old in 1_u32..100, new in 1_u32..100, n in 1_usize..50) {
        let [old, new] = [old, new].map(|n| rate(&format!("{n}/s")));
        let mut gcra = RateLimiter::new(old);
        earliest_times(&mut gcra, n);
        let before = gcra.next_allowed(Timestamp::START);
        gcra.set_rate(new);
        prop_assert_eq!(gcra.next_allowed(Timestamp::START), before);
    }
}
