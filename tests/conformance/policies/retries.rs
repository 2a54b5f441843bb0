//! The decisions about retries are the same on every adapter, delays included.
//!
//! Delays are computed from the seed, the fetch and the attempt, so they are equal to the
//! nanosecond. After an intended change of the policy, the failure prints the new trace for
//! `golden.txt`.

use fetch_all::{
    Backoff, Jitter, Outcome, Policy, PolicyRules, RedactedUrl, Request, RetryAfterPolicy,
};
use fetch_testbed::Site;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    TestContext, attempt_labels, check_eq, get_request, long_timeouts, millis, new_request,
    refused_url, test_policy,
};
use crate::harness::decision_log;

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Retries, with the same delays",
    behaviours: behaviours![
        "503 twice, then 200" => recovers_after_two_503,
        "503 until no attempt is left" => attempts_run_out,
        "connection resets" => resets_are_retried,
        "refused connections" => refused_connections_are_retried,
        "truncated bodies" => truncated_bodies_are_retried,
        "attempt timeouts" => attempt_timeouts_are_retried,
        "404 is not retried" => not_found_is_not_retried,
        "an invalid response is not retried" => invalid_response_is_not_retried,
        "a POST is not retried" => post_is_not_retried,
        "a POST marked as idempotent is retried" => idempotent_post_is_retried,
        "a POST that was not sent is retried" => unsent_post_is_retried,
        "a redirect, then a retry" => redirect_then_retry,
        "Retry-After is obeyed" => retry_after_is_obeyed,
        "Retry-After over its cap ends the fetch" => retry_after_over_cap_ends_fetch,
        "no retry if the total limit comes first" => no_time_left_ends_fetch,
    ],
};

const GOLDEN: &str = include_str!("../golden.txt");

/// Delays of 20 ms, 40 ms … with full jitter.
fn jittered_policy() -> Policy {
    let backoff = Backoff::default().base(millis(20)).jitter(Jitter::Full);
    test_policy().backoff(backoff)
}

/// Sends a request from a new fetcher with a fixed seed and compares its decisions with the golden
/// trace.
async fn check_decisions(
    context: &TestContext,
    name: &str,
    request: Request,
    policy: Policy,
) -> CheckResult {
    let shown = RedactedUrl(request.url()).to_string();
    // An earlier test may have had the same port.
    let _ = decision_log::take_decisions(&shown);
    let fetcher = context.fetcher(|settings| {
        settings.update_config(|config| config.events(true));
        settings.seed = Some(7);
        settings.update_config(|config| config.rules(PolicyRules::from_policy(policy)));
    })?;
    let outcome = fetcher.fetch(request).await;
    let found = decision_trace(&shown, &outcome);
    let golden = golden_trace(name).unwrap_or_default();
    for (index, line) in found.lines().enumerate() {
        let wanted = golden.lines().nth(index).unwrap_or("nothing");
        check_eq(
            &format!("line {} of\n## {name}\n{found}\n", index + 1),
            line,
            wanted,
        )?;
    }
    check_eq(
        &format!("lines of\n## {name}\n{found}\n"),
        found.lines().count(),
        golden.lines().count(),
    )
}

fn decision_trace(url: &str, outcome: &Outcome) -> String {
    let mut lines = decision_log::take_decisions(url);
    let end = crate::harness::context::outcome_label(outcome);
    let retries = outcome.retries;
    let gave_up = outcome
        .gave_up
        .map_or_else(|| "no reason to give up".into(), |why| why.to_string());
    lines.push(format!(
        "{end} after [{}], {retries} retries, {gave_up}",
        attempt_labels(outcome)
    ));
    lines.join("\n")
}

/// The golden trace with this name.
fn golden_trace(name: &str) -> Option<&'static str> {
    let mut sections = GOLDEN
        .split("## ")
        .filter_map(|section| section.split_once('\n'));
    sections
        .find(|(title, _)| *title == name)
        .map(|(_, body)| body.trim_end())
}

async fn check_on_site(
    context: &TestContext,
    name: &str,
    path: &str,
    policy: Policy,
) -> CheckResult {
    let site = Site::start()?;
    check_decisions(context, name, get_request(site.url(path))?, policy).await
}

async fn recovers_after_two_503(context: &TestContext) -> CheckResult {
    check_on_site(context, "flaky", "/flaky/2?key=a", jittered_policy()).await
}

async fn attempts_run_out(context: &TestContext) -> CheckResult {
    let equal = Backoff::default().base(millis(20)).jitter(Jitter::Equal);
    check_on_site(
        context,
        "exhausted",
        "/status/503",
        test_policy().attempts(5).backoff(equal),
    )
    .await
}

async fn resets_are_retried(context: &TestContext) -> CheckResult {
    let wide = Backoff::default()
        .base(millis(20))
        .jitter(Jitter::Decorrelated);
    check_on_site(
        context,
        "resets",
        "/reset",
        test_policy().attempts(4).backoff(wide),
    )
    .await
}

async fn refused_connections_are_retried(context: &TestContext) -> CheckResult {
    let (_taken, url) = refused_url()?;
    check_decisions(context, "refused", get_request(url)?, jittered_policy()).await
}

async fn truncated_bodies_are_retried(context: &TestContext) -> CheckResult {
    check_on_site(context, "truncated", "/truncate", jittered_policy()).await
}

async fn attempt_timeouts_are_retried(context: &TestContext) -> CheckResult {
    check_on_site(
        context,
        "timeouts",
        "/stall",
        jittered_policy().attempt_timeout(millis(150)),
    )
    .await
}

async fn not_found_is_not_retried(context: &TestContext) -> CheckResult {
    check_on_site(context, "not found", "/status/404", jittered_policy()).await
}

async fn invalid_response_is_not_retried(context: &TestContext) -> CheckResult {
    check_on_site(context, "invalid response", "/garbage", jittered_policy()).await
}

async fn post_is_not_retried(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let request = new_request("POST", site.url("/flaky/1?key=a"))?.body("a=b");
    check_decisions(context, "post", request, jittered_policy()).await?;
    check_eq("requests", site.observed().requests, 1_u64)
}

async fn idempotent_post_is_retried(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let request = new_request("POST", site.url("/flaky/1?key=a"))?.body("a=b");
    check_decisions(
        context,
        "idempotent post",
        request.idempotent(true),
        jittered_policy(),
    )
    .await?;
    check_eq("requests", site.observed().requests, 2_u64)
}

async fn unsent_post_is_retried(context: &TestContext) -> CheckResult {
    let (_taken, url) = refused_url()?;
    check_decisions(
        context,
        "unsent post",
        new_request("POST", url)?.body("a=b"),
        jittered_policy(),
    )
    .await
}

async fn redirect_then_retry(context: &TestContext) -> CheckResult {
    let path = "/redirect-to?url=%2Fflaky%2F1%3Fkey%3Da";
    check_on_site(context, "redirected", path, jittered_policy()).await
}

async fn retry_after_is_obeyed(context: &TestContext) -> CheckResult {
    check_on_site(
        context,
        "Retry-After",
        "/retry-after/1?key=a&status=429",
        jittered_policy(),
    )
    .await
}

async fn retry_after_over_cap_ends_fetch(context: &TestContext) -> CheckResult {
    let cap = RetryAfterPolicy {
        cap: millis(500),
        ..RetryAfterPolicy::DEFAULT
    };
    check_on_site(
        context,
        "over cap",
        "/retry-after/1?key=a",
        jittered_policy().retry_after(cap),
    )
    .await
}

async fn no_time_left_ends_fetch(context: &TestContext) -> CheckResult {
    let exact = Backoff::default()
        .base(millis(60_000))
        .cap(millis(60_000))
        .jitter(None);
    let limits = long_timeouts().total(millis(50_000));
    let policy = test_policy().backoff(exact).timeouts(limits);
    check_on_site(context, "no time", "/status/503", policy).await
}
