use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::collection::vec as vec_of;
use proptest::prelude::*;

use super::*;
use crate::model::time::Timestamp;
use crate::random::mix;

const MS: Duration = Duration::from_millis(1);

fn at(seconds: u64) -> Timestamp {
    Timestamp::START + Duration::from_secs(seconds)
}

fn target(weights: &[u32], strategy: BalanceStrategy) -> BalancedTarget {
    let url = |i| Url::parse(&format!("https://{i}.example")).unwrap();
    let endpoint = |(i, weight): (usize, &u32)| TargetEndpoint::new(url(i)).weight(*weight);
    BalancedTarget::new(weights.iter().enumerate().map(endpoint)).strategy(strategy)
}

fn balancer(weights: &[u32], strategy: BalanceStrategy) -> LoadBalancer {
    LoadBalancer::new(target(weights, strategy)).unwrap()
}

/// Round-robin over `n` endpoints with outlier detection.
fn with_detection(n: usize, outlier: OutlierDetection) -> LoadBalancer {
    LoadBalancer::new(target(&vec![1; n], BalanceStrategy::RoundRobin).outlier(outlier)).unwrap()
}

fn end(balancer: &mut LoadBalancer, i: usize, result: EndpointResult, now: Timestamp) {
    balancer.record_start(i, now);
    balancer.record_end(i, result, Duration::ZERO, now);
}

fn fail(balancer: &mut LoadBalancer, i: usize, times: usize, now: Timestamp) {
    (0..times).for_each(|_| end(balancer, i, EndpointResult::Failure, now));
}

fn picks(balancer: &mut LoadBalancer, n: u64, now: Timestamp) -> Vec<usize> {
    (0..n)
        .map(|draw| balancer.pick(&[], |_| true, draw, now).unwrap())
        .collect()
}

#[test]
fn invalid_targets_are_rejected_with_a_reason() {
    let table: [(&[&str], &str); 7] = [
        (&[], "a target needs at least one endpoint"),
        (
            &["ftp://a.example"],
            "endpoint 1: the scheme must be http or https",
        ),
        (
            &["https://a.example/v2"],
            "endpoint 1: an endpoint has a scheme, host and port only",
        ),
        (
            &["https://a.example?q"],
            "endpoint 1: an endpoint has a scheme, host and port only",
        ),
        (
            &["https://a.example#f"],
            "endpoint 1: an endpoint has a scheme, host and port only",
        ),
        (
            &["https://u@a.example"],
            "endpoint 1: an endpoint has a scheme, host and port only",
        ),
        (
            &["http://a.example", "http://A.example:80"],
            "endpoint 2: duplicate of an earlier endpoint",
        ),
    ];
    for (urls, why) in table {
        let urls = urls.iter().map(|url| Url::parse(url).unwrap());
        let error = LoadBalancer::new(BalancedTarget::new(urls.map(TargetEndpoint::new)))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(why), "{error}");
    }
    let error = target(&[1, 0], BalanceStrategy::Weighted)
        .validate()
        .unwrap_err();
    assert_eq!(error, TargetError::ZeroWeight { index: 1 });
}

#[test]
fn round_robin_cycles_through_all_endpoints() {
    let mut balancer = balancer(&[1, 9, 1], BalanceStrategy::RoundRobin);
    assert_eq!(picks(&mut balancer, 7, at(0)), [0, 1, 2, 0, 1, 2, 0]);
    let second = balancer.pick(&[], |i| i != 1, 0, at(0));
    assert_eq!(
        (second, balancer.pick(&[], |_| true, 0, at(0))),
        (Some(2), Some(0))
    );
}

/// The example in the message of nginx's commit "Upstream: smooth weighted round-robin balancing."
/// (2012): a a b a c a a.
#[test]
fn weighted_round_robin_matches_nginx() {
    let mut balancer = balancer(&[5, 1, 1], BalanceStrategy::Weighted);
    assert_eq!(picks(&mut balancer, 7, at(0)), [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn least_loaded_compares_load_per_weight() {
    let mut balancer = balancer(&[1, 4], BalanceStrategy::LeastLoaded);
    for _ in 0..100 {
        let picked = picks(&mut balancer, 1, at(0))[0];
        balancer.record_start(picked, at(0));
    }
    assert!(
        balancer.in_flight(0).abs_diff(20) <= 1,
        "{}",
        balancer.in_flight(0)
    );
}

#[test]
fn idle_endpoints_are_equally_likely() {
    let picked = picks(
        &mut balancer(&[1; 4], BalanceStrategy::LeastLoaded),
        4000,
        at(0),
    );
    for i in 0..4 {
        let times = picked.iter().filter(|p| **p == i).count();
        assert!((900..1100).contains(&times), "{i}: {times}");
    }
}

#[test]
fn avoided_endpoints_are_used_only_as_a_last_resort() {
    for strategy in [
        BalanceStrategy::RoundRobin,
        BalanceStrategy::Weighted,
        BalanceStrategy::LeastLoaded,
        BalanceStrategy::PEAK_EWMA,
    ] {
        let mut balancer = balancer(&[1, 9, 1], strategy);
        assert_eq!(balancer.pick(&[0, 1], |_| true, 5, at(0)), Some(2));
        assert_eq!(balancer.pick(&[0, 1], |i| i == 0, 5, at(0)), Some(0));
        assert_eq!(balancer.pick(&[], |_| false, 5, at(0)), None);
    }
}

/// ingress-nginx #9882 and #5540, mosn #2274: the fastest to answer was the one that failed.
#[test]
fn a_fast_failing_endpoint_never_wins() {
    let mut balancer = balancer(&[1, 1], BalanceStrategy::PEAK_EWMA);
    let mut now = at(0);
    let mut failed = 0;
    for draw in 0..100 {
        let i = balancer.pick(&[], |_| true, mix(1, draw), now).unwrap();
        balancer.record_start(i, now);
        let (result, rtt) = [
            (EndpointResult::Failure, MS),
            (EndpointResult::Success, 200 * MS),
        ][i];
        now = now + rtt;
        balancer.record_end(i, result, rtt, now);
        failed += usize::from(i == 0);
    }
    assert!(failed <= 1, "{failed} of 100");
}

#[test]
fn failed_endpoint_is_used_again_after_decay() {
    let mut balancer = balancer(&[1, 1], BalanceStrategy::PEAK_EWMA);
    for i in 0..2 {
        balancer.record_start(i, at(0));
    }
    balancer.record_end(0, EndpointResult::Failure, MS, at(0));
    balancer.record_end(1, EndpointResult::Success, 200 * MS, at(0));
    let mut first = |now| {
        balancer.record_end(1, EndpointResult::Success, 200 * MS, now);
        picks(&mut balancer, 1, now)[0]
    };
    assert_eq!((first(at(10)), first(at(30)), first(at(60))), (1, 1, 0));
}

#[test]
fn faster_endpoint_is_preferred_until_its_queue_costs_as_much() {
    let mut balancer = balancer(&[1, 1], BalanceStrategy::PEAK_EWMA);
    for (i, rtt) in [(0, 10 * MS), (1, 40 * MS)] {
        balancer.record_start(i, at(0));
        balancer.record_end(i, EndpointResult::Success, rtt, at(0));
    }
    for _ in 0..50 {
        let picked = picks(&mut balancer, 1, at(0))[0];
        balancer.record_start(picked, at(0));
    }
    assert!(
        balancer.in_flight(0).abs_diff(40) <= 1,
        "{}",
        balancer.in_flight(0)
    );
}

#[test]
fn unmeasured_endpoint_gets_a_single_attempt() {
    let mut balancer = balancer(&[1, 1], BalanceStrategy::PEAK_EWMA);
    end(&mut balancer, 1, EndpointResult::Success, at(0));
    let picked = picks(&mut balancer, 1, at(0))[0];
    balancer.record_start(picked, at(0));
    assert_eq!((picked, picks(&mut balancer, 20, at(0))), (0, vec![1; 20]));
}

#[test]
fn five_consecutive_failures_eject_and_a_success_resets_the_count() {
    let mut balancer = with_detection(2, OutlierDetection::default());
    fail(&mut balancer, 0, 4, at(0));
    end(&mut balancer, 0, EndpointResult::Neutral, at(0));
    end(&mut balancer, 0, EndpointResult::Success, at(0));
    fail(&mut balancer, 0, 4, at(0));
    assert!(!balancer.is_ejected(0, at(0)));
    fail(&mut balancer, 0, 1, at(0));
    assert!(balancer.is_ejected(0, at(0)));
    assert_eq!(picks(&mut balancer, 3, at(1)), [1, 1, 1]);
}

/// Envoy #40697: the number of ejected hosts was wrong after their return.
#[test]
fn ejected_count_is_exact_at_the_instant_of_return() {
    let mut balancer = with_detection(2, OutlierDetection::default());
    fail(&mut balancer, 0, 5, at(0));
    let before = Timestamp::from_nanos(at(30).as_nanos() - 1);
    assert_eq!(
        (
            balancer.ejected_count(before),
            balancer.ejected_count(at(30))
        ),
        (1, 0)
    );
    fail(&mut balancer, 1, 5, at(30));
    assert_eq!(
        balancer.ejected_count(at(30)),
        1,
        "the other may be ejected at once"
    );
}

#[test]
fn returned_endpoint_starts_with_clean_counts() {
    let mut balancer = with_detection(2, OutlierDetection::default());
    fail(&mut balancer, 0, 5, at(0));
    fail(&mut balancer, 0, 4, at(30));
    assert!(!balancer.is_ejected(0, at(30)));
    // Sent before the return and failed after it: not counted.
    (0..9).for_each(|_| balancer.record_end(0, EndpointResult::Failure, 2000 * MS, at(31)));
    assert!(!balancer.is_ejected(0, at(31)));
    fail(&mut balancer, 0, 1, at(31));
    assert!(balancer.is_ejected(0, at(31)));
}

#[test]
fn ejections_grow_up_to_max_time() {
    let mut balancer = with_detection(2, OutlierDetection::default());
    let mut now = at(0);
    let mut lasted = Vec::new();
    for _ in 0..12 {
        fail(&mut balancer, 0, 5, now);
        let from = now;
        while balancer.is_ejected(0, now) {
            now = now + 1000 * MS;
        }
        lasted.push(now.saturating_since(from).as_secs());
    }
    assert_eq!(
        lasted,
        [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]
    );
}

#[test]
fn each_sweep_in_service_shortens_the_next_ejection() {
    let mut balancer = with_detection(2, OutlierDetection::default());
    fail(&mut balancer, 0, 5, at(0));
    fail(&mut balancer, 0, 5, at(30));
    assert!(balancer.is_ejected(0, at(89)) && !balancer.is_ejected(0, at(90)));
    picks(&mut balancer, 1, at(110));
    fail(&mut balancer, 0, 5, at(110));
    assert!(
        balancer.is_ejected(0, at(139)) && !balancer.is_ejected(0, at(140)),
        "as the first"
    );
}

/// envoyproxy/envoy, test/common/upstream/outlier_detection_impl_test.cc, the flow by success rate:
/// one host at 50 % and four at 100 % have the average 90 and the threshold 52.
#[test]
fn success_threshold_matches_envoy() {
    let shares = [50, 100, 100, 100, 100].map(|percent| percent * 10_000);
    assert_eq!(
        OutlierDetection::default().lowest_normal_rate(shares.into_iter()),
        Some(520_000)
    );
}

/// `n` endpoints with `results` each, of which those before `bad` fail every other time, after a
/// sweep.
fn after_sweep(n: usize, bad: usize, results: usize) -> LoadBalancer {
    let mut balancer = with_detection(n, OutlierDetection::default());
    for round in 0..results {
        for i in 0..n {
            let fails = i < bad && round % 2 == 0;
            end(
                &mut balancer,
                i,
                if fails {
                    EndpointResult::Failure
                } else {
                    EndpointResult::Success
                },
                at(0),
            );
        }
    }
    picks(&mut balancer, 1, at(10));
    balancer
}

#[test]
fn sweep_ejects_an_endpoint_with_an_outlying_success_rate() {
    assert!(after_sweep(10, 1, 100).is_ejected(0, at(10)));
    assert_eq!(
        after_sweep(10, 1, 99).ejected_count(at(10)),
        0,
        "too few results"
    );
    assert_eq!(
        after_sweep(4, 1, 100).ejected_count(at(10)),
        0,
        "too few endpoints"
    );
    assert_eq!(
        after_sweep(10, 10, 100).ejected_count(at(10)),
        0,
        "all are alike"
    );
}

/// Envoy #3263 and #2671: the meaning of the percentage with few endpoints.
#[test]
fn max_ejected_percent_allows_one_of_several_and_never_the_only_one() {
    for (n, most) in [(1, 0), (2, 1), (9, 1), (10, 1), (19, 1), (20, 2), (35, 3)] {
        let mut balancer = with_detection(n, OutlierDetection::default());
        (0..n).for_each(|i| fail(&mut balancer, i, 5, at(0)));
        assert_eq!(balancer.ejected_count(at(0)), most, "of {n}");
    }
}

#[test]
fn worst_endpoint_is_ejected_first() {
    let mut balancer = with_detection(
        20,
        OutlierDetection {
            consecutive_failures: 0,
            ..OutlierDetection::default()
        },
    );
    for round in 0..100 {
        for i in 0..20 {
            let fails = [0, 0, 80, 90, 99]
                .get(i)
                .is_some_and(|fails| round < *fails);
            end(
                &mut balancer,
                i,
                if fails {
                    EndpointResult::Failure
                } else {
                    EndpointResult::Success
                },
                at(0),
            );
        }
    }
    picks(&mut balancer, 1, at(10));
    let out: Vec<_> = (0..20)
        .filter(|i| balancer.is_ejected(*i, at(10)))
        .collect();
    assert_eq!(out, [3, 4]);
}

#[test]
fn panic_mode_uses_ejected_endpoints() {
    let mut balancer = with_detection(
        4,
        OutlierDetection {
            max_ejected_percent: 100,
            ..OutlierDetection::default()
        },
    );
    (0..2).for_each(|i| fail(&mut balancer, i, 5, at(0)));
    assert_eq!(
        picks(&mut balancer, 4, at(0)),
        [2, 3, 2, 3],
        "half is enough"
    );
    fail(&mut balancer, 2, 5, at(0));
    assert_eq!(picks(&mut balancer, 4, at(0)), [0, 1, 2, 3]);
}

#[cfg(feature = "serde")]
#[test]
fn serialized_state_resumes_unchanged() {
    let mut balancer = LoadBalancer::new(
        target(&[1, 2], BalanceStrategy::PEAK_EWMA).outlier(OutlierDetection::default()),
    );
    let balancer = balancer.as_mut().unwrap();
    fail(balancer, 0, 5, at(3));
    balancer.record_start(1, at(4));
    let json = serde_json::to_string(balancer).unwrap();
    assert_eq!(
        &serde_json::from_str::<LoadBalancer>(&json).unwrap(),
        balancer
    );
    let short = r#"{"endpoints": [{"url": "https://a.example"}], "strategy": {"peak_ewma": {}}}"#;
    let short: BalancedTarget = serde_json::from_str(short).unwrap();
    assert_eq!(
        (short.strategy, short.endpoints[0].weight),
        (BalanceStrategy::PEAK_EWMA, 1)
    );
}

fn any_strategy() -> impl Strategy<Value = BalanceStrategy> {
    prop_oneof![
        Just(BalanceStrategy::LeastLoaded),
        Just(BalanceStrategy::PEAK_EWMA),
        Just(BalanceStrategy::RoundRobin),
        Just(BalanceStrategy::Weighted),
    ]
}

proptest! {
    #[test]
    fn every_cycle_matches_the_weights_exactly(
        weights in vec_of(1_u32..12, 1..6),
        cycles in 1_u64..4,
    ) {
        let total: u32 = weights.iter().sum();
        let mut balancer = balancer(&weights, BalanceStrategy::Weighted);
        for _ in 0..cycles {
            let picked = picks(&mut balancer, total.into(), at(0));
            for (i, weight) in weights.iter().enumerate() {
                prop_assert_eq!(picked.iter().filter(|p| **p == i).count(), *weight as usize);
            }
        }
    }

    #[test]
    fn only_usable_endpoints_are_picked(
        strategy in any_strategy(),
        n in 1_usize..8,
        percent in 0_u8..=100,
        steps in vec_of((any::<u64>(), 0_u64..20, 0_usize..8, 0_u8..=255), 1..200),
    ) {
        let outlier = OutlierDetection {
            consecutive_failures: 2,
            max_ejected_percent: percent,
            min_requests: 3,
            ..OutlierDetection::default()
        };
        let target = target(&vec![2; n], strategy).outlier(outlier);
        let mut balancer = LoadBalancer::new(target).unwrap();
        let mut now = at(0);
        for (draw, seconds, tried, mask) in steps {
            now = now + Duration::from_secs(seconds);
            let usable = |i: usize| mask >> i & 1 == 1;
            let picked = balancer.pick(&[tried], usable, draw, now);
            let out = |i| balancer.is_ejected(i, now);
            let panic = (n - balancer.ejected_count(now)) * 2 < n;
            let open = |i: usize| usable(i) && (panic || !out(i));
            match picked {
                None => prop_assert!(!(0..n).any(open)),
                Some(i) => {
                    prop_assert!(open(i));
                    prop_assert!(i != tried || !(0..n).any(|other| other != tried && open(other)));
                    let result = [EndpointResult::Failure, EndpointResult::Success][(draw % 2) as usize];
                    end(&mut balancer, i, result, now);
                    prop_assert_eq!(balancer.in_flight(i), 0);
                }
            }
            let most = if n > 1 { (n * usize::from(percent) / 100).max(1) } else { 0 };
            prop_assert!(balancer.ejected_count(now) <= most);
        }
    }
}
