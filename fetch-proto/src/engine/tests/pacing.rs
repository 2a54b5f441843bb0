//! Hosts that limit the rate of requests, in whole runs.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use crate::testing::{LatencyModel, RequestResult, ServerModel, Simulation, SimulationSummary};
use crate::{EngineConfig, Pacing, Rate};

const SECOND: Duration = Duration::from_secs(1);

fn paced() -> EngineConfig {
    EngineConfig::default()
        .per_host(16)
        .pacing(Pacing::default())
}

fn server() -> ServerModel {
    let latency = LatencyModel::from(Duration::from_millis(1)..=Duration::from_millis(3));
    ServerModel::default().latency(latency)
}

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

fn urls(count: u64) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("http://a.test/{n}"))
}

fn run(server: ServerModel, count: u64) -> SimulationSummary {
    Simulation::new(paced(), 7)
        .everywhere(server)
        .run(urls(count))
}

/// How long the run took, compared with a steady stream at the rate, in hundredths.
fn percent_of_ideal(summary: &SimulationSummary, count: u64, per_second: u64) -> u64 {
    summary.took.as_millis() as u64 * per_second / (count * 10)
}

#[test]
fn a_list_finishes_at_the_speed_that_the_host_allows() {
    for per_second in [5_u32, 20, 200, 2000] {
        let limit = Rate::new(per_second.try_into().unwrap(), SECOND).unwrap();
        let kinds = [
            ("leaky bucket", server().throttle(limit.strict())),
            (
                "leaky bucket, 503",
                server().throttle(limit.strict()).throttle_status(503),
            ),
            (
                "small burst",
                server().throttle(limit.burst(20.try_into().unwrap())),
            ),
            ("token bucket", server().throttle(limit)),
            ("fixed window", server().quota(limit)),
            (
                "fixed window, 503",
                server().quota(limit).throttle_status(503),
            ),
        ];
        let count = (u64::from(per_second) * 20).min(6000);
        for (kind, model) in kinds {
            let summary = run(model, count);
            let percent = percent_of_ideal(&summary, count, per_second.into());
            assert_eq!(summary.batch.succeeded(), count, "{kind} {per_second}/s");
            assert!(percent <= 130, "{kind} {per_second}/s: {percent} %");
        }
    }
}

#[test]
fn the_pace_follows_a_limit_that_falls_and_one_that_rises() {
    for (before, after, ideal) in [("200/s", "40/s", 60), ("40/s", "200/s", 28)] {
        let model = server()
            .throttle(rate(before))
            .throttle_later(20 * SECOND, rate(after));
        // 20 s at the first rate, and the rest at the second.
        let count = if before == "200/s" { 5600 } else { 2400 };
        let summary = run(model, count);
        assert_eq!(summary.batch.succeeded(), count);
        let most = SECOND * ideal * 13 / 10;
        assert!(summary.took <= most, "{before} {after}: {:?}", summary.took);
    }
}

#[test]
fn a_pause_that_the_host_asks_for_is_honoured_and_the_pace_learned() {
    let model = server().throttle(rate("200/s")).retry_after(SECOND);
    let summary = run(model.throttle_status(503), 10_000);
    assert_eq!(summary.batch.succeeded(), 10_000);
    let percent = percent_of_ideal(&summary, 10_000, 200);
    assert!(percent <= 130, "{percent} %");
    let host = &summary.hosts[0];
    assert!(host.result_count(RequestResult::Throttled) < 200);
}

#[test]
fn few_requests_are_sent_in_vain() {
    for model in [
        server().throttle(rate("200/s")),
        server().quota(rate("200/s")),
    ] {
        let host = run(model, 10_000).hosts.remove(0);
        assert!(host.requests < 11_500, "{}", host.requests);
    }
}

#[test]
fn a_host_that_answers_well_is_never_paced() {
    // Some pages are missing, a few connections break, one of 500 answers is a 503.
    let model = server().errors(20).resets(5).unavailable(2);
    let decisions = |config: EngineConfig| {
        let summary = Simulation::new(config, 7).everywhere(model).run(urls(5000));
        (summary.digest, summary.took)
    };
    let free = EngineConfig::default().per_host(16);
    assert_eq!(decisions(paced()), decisions(free));
}

#[test]
fn a_url_that_is_always_refused_ends_with_its_429() {
    // One host stands for the site, another for the URL: both are paced alike.
    let summary = Simulation::new(paced(), 7)
        .everywhere(server())
        .host(
            "never.test",
            server().quota(Rate::new(1.try_into().unwrap(), 100_000 * SECOND).unwrap()),
        )
        .run((0..30).map(|n| format!("http://never.test/{n}")));
    assert_eq!(summary.batch.http_errors(), 29);
    // Waited for five minutes, and then each URL uses up its attempts.
    assert!(
        summary.took >= 300 * SECOND && summary.took < 330 * SECOND,
        "{:?}",
        summary.took
    );
    assert!(
        summary.hosts[0].requests < 300,
        "{}",
        summary.hosts[0].requests
    );
}

#[test]
fn a_single_url_that_is_refused_uses_up_its_attempts_as_without_pacing() {
    let never = Rate::new(1.try_into().unwrap(), 100_000 * SECOND).unwrap();
    let summary = run(server().quota(never), 2);
    assert_eq!(
        (summary.batch.succeeded(), summary.batch.http_errors()),
        (1, 1)
    );
    assert!(summary.took < 10 * SECOND, "{:?}", summary.took);
}

#[test]
fn a_quota_per_minute_is_used_to_the_full() {
    // 600 in each minute: the list needs three of them.
    let summary = run(server().quota(rate("600/m")), 1800);
    assert_eq!(summary.batch.succeeded(), 1800);
    assert!(summary.took <= 180 * SECOND, "{:?}", summary.took);
}
