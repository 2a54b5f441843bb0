use proptest::prelude::*;

use super::*;
use crate::random::mix;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u32) -> Timestamp {
    Timestamp::START + SECOND * seconds
}

fn counted(config: Throttle, requests: u32, accepts: u32) -> RequestThrottler {
    let mut throttler = RequestThrottler::new(config);
    (0..requests).for_each(|_| throttler.record_request(at(0)));
    (0..accepts).for_each(|_| throttler.record_accept(at(0)));
    throttler
}

/// `(requests − K × accepts) / (requests + 1)`, calculated by hand.
#[test]
fn probability_follows_the_formula() {
    let table = [
        (2000, 0, 0, 0),
        (2000, 1, 0, 500_000),
        (2000, 1, 1, 0),
        (2000, 2, 0, 666_666),
        (2000, 3, 1, 250_000),
        (2000, 9, 0, 900_000),
        (2000, 10, 0, 900_000),
        (2000, 99, 49, 10_000),
        (2000, 99, 50, 0),
        (1000, 99, 98, 10_000),
        (1100, 99, 80, 110_000),
        (1100, 99, 90, 0),
        (1500, 6, 1, 642_857),
        (0, 99, 98, 10_000),
        (u32::MAX, 99, 1, 0),
    ];
    for (k, requests, accepts, expected) in table {
        let throttler = counted(Throttle::default().k(k).minimum(0), requests, accepts);
        let actual = throttler.rejection_probability(at(0));
        assert_eq!(
            actual, expected,
            "{requests} requests, {accepts} accepts, K {k} ‰"
        );
    }
}

#[test]
fn requests_below_the_minimum_are_never_held_back() {
    let config = Throttle::default().minimum(20);
    assert_eq!(counted(config, 19, 0).rejection_probability(at(0)), 0);
    assert!(
        counted(config, 19, 0).can_send(0, at(0)),
        "not even by the lowest draw"
    );
    assert_eq!(counted(config, 20, 0).rejection_probability(at(0)), 900_000);
}

#[test]
fn counts_expire() {
    let mut throttler = counted(Throttle::default(), 100, 0);
    assert_eq!(throttler.rejection_probability(at(119)), 900_000);
    assert_eq!(throttler.rejection_probability(at(120)), 0);
    (0..100).for_each(|_| throttler.record_request(at(60)));
    (0..75).for_each(|_| throttler.record_accept(at(60)));
    assert_eq!(throttler.rejection_probability(at(119)), 50_000_000 / 201);
    assert_eq!(throttler.rejection_probability(at(120)), 0);
    assert!(throttler.idle_at() > at(179) && throttler.idle_at() <= at(180));
}

#[test]
fn cap_lets_some_requests_through() {
    for (cap, expected) in [(900, 900_000), (0, 0), (1000, 999_000), (u16::MAX, 999_000)] {
        let throttler = counted(Throttle::default().cap(cap), 100_000, 0);
        assert_eq!(throttler.rejection_probability(at(0)), expected);
    }
}

#[test]
fn draws_are_held_back_with_the_given_probability() {
    let throttler = counted(Throttle::default(), 99, 24);
    let held = (0..10_000).filter(|n| !throttler.can_send(mix(7, *n), at(0)));
    let held = held.count();
    assert!((4900..5300).contains(&held), "{held} of 10000 at 51 %");
}

/// Sends up to 50 requests per second. Returns how many were held back in the last second.
fn run(throttler: &mut RequestThrottler, from: u32, seconds: u32, accepted: bool) -> usize {
    let mut held = 0;
    for second in from..from + seconds {
        held = 0;
        for n in 0..50 {
            if throttler.can_send(mix(second.into(), n), at(second)) {
                throttler.record_request(at(second));
                if accepted {
                    throttler.record_accept(at(second));
                }
            } else {
                held += 1;
            }
        }
    }
    held
}

#[test]
fn recovers_with_the_host() {
    let mut throttler = RequestThrottler::new(Throttle::default());
    assert_eq!(run(&mut throttler, 0, 60, true), 0);
    assert!(
        run(&mut throttler, 60, 300, false) > 35,
        "nine of ten are held back"
    );
    assert_eq!(run(&mut throttler, 360, 240, true), 0, "and none any more");
}

#[test]
fn k_of_2_does_not_throttle_a_host_that_accepts_half() {
    let throttler = counted(Throttle::default(), 1000, 500);
    assert_eq!(throttler.rejection_probability(at(0)), 0);
}

#[test]
fn clock_running_backwards_loses_nothing() {
    let mut throttler = counted(Throttle::default(), 20, 0);
    throttler.record_request(at(300));
    (0..30).for_each(|_| throttler.record_request(at(0)));
    assert_eq!(throttler.rejection_probability(at(0)), 900_000);
    assert!(throttler.idle_at() <= at(420));
}

#[test]
fn new_config_keeps_the_counts() {
    let mut throttler = counted(Throttle::default(), 99, 24);
    throttler.set_config(Throttle::default().window(SECOND * 10));
    assert_eq!(throttler.rejection_probability(at(9)), 510_000);
    assert_eq!(throttler.rejection_probability(at(10)), 0);
}

#[cfg(feature = "serde")]
#[test]
fn config_and_state_survive_json() {
    let throttler = counted(Throttle::default().k(1500), 99, 24);
    let json = serde_json::to_string(&throttler).unwrap();
    assert_eq!(
        serde_json::from_str::<RequestThrottler>(&json).unwrap(),
        throttler
    );
    let few = serde_json::from_str::<Throttle>(r#"{"k":1500}"#).unwrap();
    assert_eq!(few, Throttle::default().k(1500));
}

proptest! {
    #[test]
    fn probability_is_capped_and_falls_with_more_accepts(
        k in any::<u32>(), cap in any::<u16>(),
        requests in 0_u32..300, accepts in 0_u32..300,
    ) {
        let config = Throttle::default().k(k).cap(cap).minimum(0);
        let mut throttler = counted(config, requests, 0);
        let mut last = throttler.rejection_probability(at(0));
        prop_assert!(last <= 999_000 && last <= u32::from(cap) * 1000);
        for _ in 0..accepts {
            throttler.record_accept(at(0));
            let next = throttler.rejection_probability(at(0));
            prop_assert!(next <= last);
            last = next;
        }
    }
}
