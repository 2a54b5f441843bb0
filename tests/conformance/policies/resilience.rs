//! Resilience policies of the core over real sockets.

use std::time::Duration;

use fetch_all::{
    AttemptEnd, Breaker, ChaosPolicy, FailureKind, Fallback, FallbackSource, FallbackValue, Hedge,
    HedgeDelay, InjectedFault, Policy, PolicyRules, Response, RetryBudget, Settings, StallGuard,
};
use fetch_testbed::Site;
use http::StatusCode;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    TestContext, check, check_eq, check_ok, collect_outcomes, get_request, get_requests,
    long_timeouts, millis, outcome_label, test_policy,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Policies",
    behaviours: behaviours![
        "hedging closes the losing attempt's connection" => slow_attempt_is_hedged,
        "an open breaker defers its host's URLs and loses none" => open_breaker_defers,
        "a retry budget limits the attempts at the server" => retry_budget_limits_attempts,
        "identical concurrent requests are sent once" => identical_requests_are_shared,
        "fallback to another URL" => fallback_url_is_used,
        "fallback to a stale response or a constant" => fallback_value_is_used,
        "RateLimit fields pause the host" => rate_limit_fields_pause_host,
        "the stall guard ends a trickling body" => stall_guard_ends_body,
        "injected faults send nothing" => injected_faults_send_nothing,
    ],
};

async fn slow_attempt_is_hedged(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let hedge = Hedge::default()
        .delay(HedgeDelay::Fixed(millis(100)))
        .max(1)
        .on_failure(false);
    let fetcher = context.fetcher_with_policy(test_policy().hedge(hedge))?;
    let outcome = fetcher
        .fetch(get_request(site.url("/slow-once/30?key=a"))?)
        .await;
    check_ok(&outcome)?;
    let ends: Vec<_> = outcome.attempts.iter().map(|one| one.end).collect();
    check_eq(
        "ends",
        ends,
        vec![AttemptEnd::Abandoned, AttemptEnd::Responded],
    )?;
    crate::harness::context::wait_until(&site, "the loser closed", |seen| seen.cut_by_peer == 1)
        .await?;
    Ok(())
}

async fn open_breaker_defers(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let breaker =
        Breaker::default()
            .failure_ratio(None)
            .consecutive(3)
            .open(millis(200), 1, millis(200));
    let fetcher = context.fetcher(|settings| {
        settings.update_config(|config| config.concurrency(1));
        settings.update_config(|config| config.breaker(breaker));
        settings.update_config(|config| {
            config.rules(PolicyRules::from_policy(test_policy().attempts(1)))
        });
    })?;
    // The first three fail and open the breaker. Without a breaker the others would be fetched as
    // well, so the test checks the pause and that the server received each request once.
    let urls = (0..3).map(|n| site.url(&format!("/status/500?{n}")));
    let urls = urls.chain((0..10).map(|n| site.url(&format!("/get?{n}"))));
    let urls: Vec<_> = urls.collect();
    let outcomes = collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await;
    let successes = outcomes.iter().filter(|one| one.is_success()).count();
    check_eq("successes", successes, 10)?;
    let waited = outcomes[3].timings.queued;
    check(
        "the fourth waited for the breaker",
        waited >= millis(150),
        format!("{waited:?}"),
    )?;
    check_eq("requests", site.observed().requests, 13_u64)
}

async fn retry_budget_limits_attempts(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let budget = RetryBudget::Ratio {
        min_per_second: 0,
        per_mille: 100,
        ttl: Duration::from_secs(60),
    };
    let fetcher = context.fetcher(|settings| {
        // On a slow machine a breaker would open before all requests are sent.
        settings.update_config(|config| config.host_budget(budget).breaker(None));
        settings.update_config(|config| {
            config.rules(PolicyRules::from_policy(test_policy().attempts(5)))
        });
    })?;
    let urls: Vec<_> = (0..100).map(|_| site.url("/status/503")).collect();
    let outcomes = collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await;
    let seen = site.observed().requests;
    // Shows outcomes of requests that did not reach the server.
    let other = outcomes
        .iter()
        .filter(|one| one.status().is_none_or(|status| status != 503));
    let detail = format!("{seen}; {:?}", other.take(3).collect::<Vec<_>>());
    check("at most 10 % retries", (100..=110).contains(&seen), detail)
}

async fn identical_requests_are_shared(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|settings| settings.share = true)?;
    let urls: Vec<_> = (0..20).map(|_| site.url("/delay/0.3")).collect();
    let outcomes = collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await;
    let bodies: Vec<_> = outcomes
        .iter()
        .filter_map(|one| one.response().map(|response| response.body.clone()))
        .collect();
    check_eq("responses", bodies.len(), 20)?;
    check(
        "all bodies are complete",
        bodies
            .iter()
            .all(|body| body == &bodies[0] && !body.is_empty()),
        bodies[0].len(),
    )?;
    let shared = outcomes.iter().filter(|one| one.shared).count();
    check_eq(
        "shared outcomes and requests",
        (shared, site.observed().requests),
        (19, 1_u64),
    )
}

async fn fallback_url_is_used(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let mirror = Fallback::to(site.url("/bytes/7").parse()?);
    let fetcher = context.fetcher_with_policy(test_policy().attempts(2).fallback(mirror))?;
    for path in ["/status/503", "/reset"] {
        let outcome = fetcher.fetch(get_request(site.url(path))?).await;
        check_ok(&outcome)?;
        let size = outcome.response().map(|response| response.body.len());
        check_eq(
            path,
            (size, outcome.fallback),
            (Some(7), Some(FallbackSource::Url)),
        )?;
    }
    Ok(())
}

async fn fallback_value_is_used(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let policy = test_policy().attempts(1).fallback(Fallback::value());
    let fetcher = context.fetcher(|settings: &mut Settings| {
        settings.update_config(|config| config.rules(PolicyRules::from_policy(policy)));
        settings.fallback.stale = 10;
        let constant = |_: &fetch_all::Outcome| Some(Response::new(StatusCode::OK, "constant"));
        settings.fallback.value = Some(FallbackValue::new(constant));
    })?;
    let without = fetcher.fetch(get_request(site.url("/reset"))?).await;
    check_eq(
        "without an earlier response",
        without.fallback,
        Some(FallbackSource::Value),
    )?;
    let url = site.url("/get");
    check_ok(&fetcher.fetch(get_request(url.clone())?).await)?;
    drop(site);
    let later = fetcher.fetch(get_request(url)?).await;
    check_eq(
        "with an earlier response",
        (outcome_label(&later), later.fallback),
        ("200".to_owned(), Some(FallbackSource::Stale)),
    )
}

async fn rate_limit_fields_pause_host(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher =
        context.fetcher(|settings| settings.update_config(|config| config.concurrency(1)))?;
    let urls = [site.url("/rate-limit/1?key=a"), site.url("/get")];
    let outcomes = collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await;
    let waited = outcomes[1].timings.queued;
    check(
        "the second waited",
        waited >= millis(900),
        format!("{waited:?}"),
    )
}

async fn stall_guard_ends_body(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let guard = StallGuard::default()
        .grace(millis(300))
        .min_bytes_per_second(1000)
        .window(millis(500));
    let limits = long_timeouts().attempt(None);
    let fetcher =
        context.fetcher_with_policy(test_policy().attempts(1).stall(guard).timeouts(limits))?;
    let outcome = fetcher
        .fetch(get_request(
            site.url("/slow-body?chunks=1000&interval=0.1"),
        )?)
        .await;
    check_eq("end", outcome_label(&outcome), "throughput timeout")
}

async fn injected_faults_send_nothing(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let faults = ChaosPolicy::default().fault(1000, InjectedFault::Error(FailureKind::Resolve));
    let fetcher = context.fetcher_with_policy(Policy::chaos(test_policy().attempts(2), faults))?;
    let outcome = fetcher.fetch(get_request(site.url("/get"))?).await;
    check_eq(
        "end and requests",
        (outcome_label(&outcome), site.observed().requests),
        ("dns".to_owned(), 0_u64),
    )
}
