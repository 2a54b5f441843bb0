//! Time limits: which one ends an attempt or a fetch, and that none ends it too early.

use std::time::Duration;

use fetch_all::{PolicyRules, RulePattern, Timeouts};
use fetch_testbed::Site;
use futures::StreamExt;
use smol::Timer;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    TestContext, attempt_labels, check, check_eq, check_ok, collect_outcomes, get_request,
    get_requests, long_timeouts, millis, outcome_label, silent_listener, test_policy,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Time limits",
    behaviours: behaviours![
        "attempt limit by URL pattern, from the attempt's start" => pattern_limits_hold,
        "connect limit, TLS included" => connect_limit_ends_attempt,
        "first byte limit" => first_byte_limit_ends_attempt,
        "idle read limit" => idle_read_limit_ends_attempt,
        "a slow consumer does not trigger the idle read limit" => slow_consumer_is_not_stalled,
        "total limit, retries included" => total_limit_ends_fetch,
        "queue limit" => queue_limit_ends_fetch,
    ],
};

async fn pattern_limits_hold(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let limits = [("/delay/", 500), ("/redirect/", 350), ("", 200)];
    let once = test_policy().attempts(1);
    let mut rules = PolicyRules::builder().default(once.clone().attempt_timeout(millis(200)));
    for (pattern, limit) in &limits[..2] {
        let policy = once.clone().attempt_timeout(millis(*limit));
        rules = rules.rule(RulePattern::parse(pattern)?, policy);
    }
    let rules = rules.build()?;
    // One at a time, so the second and the third wait in the queue for longer than their limits.
    let fetcher = context.fetcher(|settings| {
        settings.update_config(|config| config.rules(rules).concurrency(1).per_host(1));
    })?;
    let urls = ["/delay/30?", "/stall?as=/redirect/", "/stall"].map(|path| site.url(path));
    let outcomes = collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await;
    for (outcome, (_, limit)) in outcomes.iter().zip(limits) {
        check_eq(&outcome.url, attempt_labels(outcome), "attempt timeout")?;
        let took = outcome.attempts[0].timings.total();
        let what = format!(
            "{} ended after {limit} ms, not earlier and not much later",
            outcome.url
        );
        let in_time = millis(limit) <= took && took < millis(limit) + Duration::from_secs(20);
        check(&what, in_time, format_args!("{took:?}"))?;
    }
    let queued = outcomes[2].timings.queued;
    check(
        "the last waited for the others",
        queued >= millis(850),
        format_args!("{queued:?}"),
    )
}

async fn connect_limit_ends_attempt(context: &TestContext) -> CheckResult {
    let (_listener, address) = silent_listener()?;
    let limits = long_timeouts().attempt(millis(5_000)).connect(millis(200));
    let fetcher = context.fetcher_with_policy(test_policy().attempts(1).timeouts(limits))?;
    let outcome = fetcher
        .fetch(get_request(format!("https://{address}/"))?)
        .await;
    check_eq("attempts", attempt_labels(&outcome), "connect timeout")
}

async fn first_byte_limit_ends_attempt(context: &TestContext) -> CheckResult {
    let limits = long_timeouts().first_byte(millis(200));
    check_time_limit(context, "/stall", limits, "first byte timeout").await
}

async fn idle_read_limit_ends_attempt(context: &TestContext) -> CheckResult {
    let limits = long_timeouts().idle_read(millis(200));
    check_time_limit(context, "/stall-body", limits, "idle read timeout").await
}

async fn check_time_limit(
    context: &TestContext,
    path: &str,
    limits: Timeouts,
    expected: &str,
) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher_with_policy(test_policy().attempts(1).timeouts(limits))?;
    let outcome = fetcher.fetch(get_request(site.url(path))?).await;
    check_eq(&outcome.to_string(), attempt_labels(&outcome), expected)?;
    let took = outcome.attempts[0].timings.total();
    check(
        "it did not end too early",
        took >= millis(200),
        format_args!("{took:?}"),
    )?;
    crate::harness::context::wait_until(&site, "the connection closed", |seen| seen.open == 0)
        .await?;
    Ok(())
}

async fn slow_consumer_is_not_stalled(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let limits = long_timeouts().idle_read(millis(400));
    let fetcher = context.fetcher_with_policy(test_policy().timeouts(limits))?;
    let mut response = fetcher
        .open(get_request(site.url("/bytes/20000000"))?)
        .await?;
    let mut bytes = 0;
    for _ in 0..2 {
        bytes += response
            .body
            .next()
            .await
            .transpose()?
            .map_or(0, |chunk| chunk.len());
        Timer::after(millis(900)).await;
    }
    while let Some(chunk) = response.body.next().await {
        bytes += chunk?.len();
    }
    check_eq("bytes", bytes, 20_000_000_usize)
}

async fn total_limit_ends_fetch(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let limits = long_timeouts().attempt(millis(150)).total(millis(400));
    // Short attempts are allowed, so that one is in flight when the total limit ends the fetch.
    let policy = test_policy().attempts(100).min_attempt_time(Duration::ZERO);
    let fetcher = context.fetcher_with_policy(policy.timeouts(limits))?;
    let outcome = fetcher.fetch(get_request(site.url("/stall"))?).await;
    check_eq("end", outcome_label(&outcome), "total timeout")?;
    let attempts = outcome.attempts.len();
    check(
        "it was retried until the total limit",
        (2..=3).contains(&attempts),
        attempts,
    )?;
    check(
        "it did not end too early",
        outcome.duration() >= millis(400),
        &outcome,
    )
}

async fn queue_limit_ends_fetch(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let first = long_timeouts().attempt(millis(600));
    let second = long_timeouts().queue(millis(100));
    let fetcher =
        context.fetcher(|settings| settings.update_config(|config| config.concurrency(1)))?;
    let with = |limits| test_policy().attempts(1).timeouts(limits);
    let slow = get_request(site.url("/stall"))?.policy(with(first));
    let queued = get_request(site.url("/get?queued"))?.policy(with(second));
    let outcomes = collect_outcomes(fetcher.fetch_all(Box::new([slow, queued].into_iter()))).await;
    let found: Vec<_> = outcomes.iter().map(outcome_label).collect();
    check_eq("ends", found, ["attempt timeout", "queue timeout"])?;
    check_eq("attempts", outcomes[1].attempts.len(), 0_usize)?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
    check_eq("requests", site.observed().requests, 2_u64)
}
