use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::policy::{Backoff, Policy, Timeouts};
use crate::rules::PolicyRules;

const SECOND: Duration = Duration::from_secs(1);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn urls(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("http://a.test/{n}")).collect()
}

fn small(queue: u32) -> ServerModel {
    ServerModel::default()
        .latency(LatencyModel::constant(ms(10)))
        .capacity(2, queue)
}

fn with(config: EngineConfig, server: ServerModel) -> Simulation {
    Simulation::new(config, 7).everywhere(server)
}

#[test]
fn capacity_makes_latency_grow_with_load() {
    let p50 = |concurrency| {
        let config = EngineConfig::default().concurrency(concurrency);
        let summary = with(config, small(1000)).run(urls(1000));
        summary.hosts[0].fetches.total().percentile(5_000)
    };
    // Two workers serve 2 concurrent requests in 10 ms each, and 40 in 20 rounds.
    assert_eq!(p50(2), Some(ms(10)));
    assert_eq!(p50(40), Some(ms(200)));
}

#[test]
fn throughput_is_bounded_by_the_workers() {
    let took = |concurrency| {
        let config = EngineConfig::default().concurrency(concurrency);
        with(config, small(1000)).run(urls(1000)).took
    };
    assert_eq!((took(2), took(100)), (ms(5_000), ms(5_000)));
}

#[test]
fn overload_is_answered_503_and_retries_multiply_the_load() {
    let config = EngineConfig::default().concurrency(50);
    let summary = with(config, small(10)).run(urls(1000));
    let host = &summary.hosts[0];
    assert!(host.result_count(RequestResult::Overloaded) > 0);
    assert!(host.amplification() > 1_500, "{}", host.amplification());
    assert_eq!(host.requests, summary.engine.attempts);
}

#[test]
fn a_server_completes_aborted_requests() {
    let timeouts = Timeouts {
        attempt: Some(ms(100)),
        ..Timeouts::DEFAULT
    };
    let backoff = Backoff::default().base(ms(10)).cap(ms(10));
    let run = |attempts| {
        let policy = Policy::default().attempts(attempts).timeouts(timeouts);
        let rules = PolicyRules::from_policy(policy.backoff(backoff));
        let config = EngineConfig::default().concurrency(200).rules(rules);
        with(config, small(1000)).run(urls(2000))
    };
    let (once, often) = (run(1), run(5));
    let abandoned = |summary: &SimulationSummary| summary.hosts[0].abandoned;
    assert!(abandoned(&once) > 0);
    assert!(abandoned(&often) > abandoned(&once));
    // A retry storm: more requests, but hardly more successes.
    assert!(often.hosts[0].requests > 2 * once.hosts[0].requests);
}

#[test]
fn fetches_succeed_after_an_outage() {
    let down = Outage {
        from: SECOND,
        until: SECOND * 3,
        kind: OutageKind::Refuse,
    };
    let policy = Policy::default().attempts(5);
    let config = EngineConfig::default()
        .concurrency(4)
        .host_rate("100/s".parse().unwrap())
        .rules(PolicyRules::from_policy(policy));
    let mut simulation = with(
        config,
        ServerModel::default().latency(LatencyModel::constant(ms(5))),
    );
    simulation = simulation.outage("a.test", down);
    let summary = simulation.run(urls(1000));
    assert_eq!(summary.batch.succeeded(), 1000);
    assert!(summary.hosts[0].result_count(RequestResult::Refused) > 0);
    let width = summary.series.width();
    let ok_in =
        |at: Duration| summary.series.points()[(at.as_nanos() / width.as_nanos()) as usize].ok;
    assert!(ok_in(ms(500)) > 0 && ok_in(ms(2_000)) == 0 && ok_in(ms(5_000)) > 0);
}

#[test]
fn an_outage_everywhere_applies_to_every_host() {
    let down = Outage {
        from: Duration::ZERO,
        until: SECOND * 60,
        kind: OutageKind::Unavailable(None),
    };
    let mut simulation =
        with(EngineConfig::default(), ServerModel::default()).outage_everywhere(down);
    let summary = simulation.run(["http://a.test/", "http://b.test/"]);
    assert_eq!(summary.batch.http_errors(), 2);
}

#[test]
fn a_client_that_obeys_retry_after_slows_to_the_rate_of_a_throttle() {
    let rate = Rate::per_second(core::num::NonZeroU32::new(50).unwrap());
    let server = ServerModel::default().throttle(rate).retry_after(SECOND);
    let summary = with(EngineConfig::default(), server).run(urls(500));
    let host = &summary.hosts[0];
    assert!(host.result_count(RequestResult::Throttled) > 0);
    assert!(host.result_count(RequestResult::Ok) <= 50 + 50 * (summary.took.as_secs() + 1));
    assert!(summary.took >= SECOND * 8);
}

#[test]
fn arrivals_do_not_wait_for_earlier_fetches() {
    let run = |deadline| {
        let server = ServerModel::default().latency(LatencyModel::constant(SECOND * 3));
        let simulation = with(EngineConfig::default(), server).arrivals("2/s".parse().unwrap());
        simulation.deadline(deadline).run(urls(20))
    };
    let all = run(SECOND * 60);
    assert_eq!((all.batch.succeeded(), all.max_in_flight), (20, 6));
    assert_eq!(all.took, ms(19 * 500 + 3_000));
    let cut = run(ms(4_900));
    assert_eq!((cut.batch.succeeded(), cut.batch.cancelled()), (4, 6));
}

#[test]
fn the_time_of_a_body_follows_from_its_bandwidth() {
    let server = ServerModel::default()
        .latency(LatencyModel::constant(ms(100)))
        .body(2_500_000, Some(1_000_000));
    let summary = with(EngineConfig::default(), server).run(urls(1));
    assert_eq!(
        (summary.took, summary.batch.bytes()),
        (ms(2_600), 2_500_000)
    );
}

#[test]
fn each_host_has_a_separate_model_and_summary() {
    let mut simulation = with(EngineConfig::default(), ServerModel::default())
        .host("down.test", ServerModel::default().unavailable(1000));
    let list = ["http://down.test/", "http://up.test/", "http://up.test/2"];
    let summary = simulation.run(list);
    let seen: Vec<_> = summary
        .hosts
        .iter()
        .map(|host| (&*host.name, host.fetches.succeeded(), host.requests))
        .collect();
    assert_eq!(seen, [("down.test", 0, 3), ("up.test", 2, 2)]);
}

#[test]
fn surplus_hosts_share_a_summary() {
    let urls = (0..5000).map(|n| format!("http://h{n}.test/"));
    let summary = with(EngineConfig::default(), small(9)).run(urls);
    assert_eq!(summary.hosts.len(), 257);
    assert_eq!(&*summary.hosts[256].name, HostSummary::OTHERS);
    let sum: u64 = summary.hosts.iter().map(|host| host.requests).sum();
    assert_eq!(sum, 5000);
}

#[test]
fn a_fetch_that_would_wait_forever_is_reported() {
    let rules = PolicyRules::from_policy(Policy::default().timeouts(Timeouts::NONE));
    let config = EngineConfig::default().rules(rules);
    let summary = with(config, ServerModel::default().stalls(1000)).run(urls(3));
    assert_eq!((summary.stuck, summary.batch.cancelled()), (3, 3));
}

#[test]
fn the_deadline_cancels_the_rest() {
    let config = EngineConfig::default().concurrency(1).window(10);
    let server = ServerModel::default().latency(LatencyModel::constant(ms(300)));
    let summary = with(config, server).deadline(SECOND).run(urls(100));
    assert_eq!(summary.batch.succeeded(), 3);
    assert_eq!((summary.batch.cancelled(), summary.took), (10, SECOND));
}

#[test]
fn the_series_sums_equal_the_totals() {
    let server = ServerModel::default().unavailable(300).resets(100);
    let summary = with(EngineConfig::default(), server).run(urls(2000));
    let points = summary.series.points();
    let sum = |count: fn(&SeriesPoint) -> u64| points.iter().map(count).sum::<u64>();
    assert_eq!(sum(|point| point.requests), summary.engine.attempts);
    assert_eq!(sum(|point| point.ok + point.failed), 2000);
    let most = points.iter().map(|point| point.in_flight).max();
    assert_eq!(most, Some(summary.max_in_flight as u64));
    assert_eq!(summary.hosts[0].series, summary.series);
}
