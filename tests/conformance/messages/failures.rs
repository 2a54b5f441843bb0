//! Each class of failure: its name, whether it is retried, and that it does not affect other fetches.

use fetch_all::Policy;
use fetch_testbed::Site;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    TestContext, attempt_labels, check, check_eq, check_ok, get_request, refused_url, test_policy,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Failures",
    behaviours: behaviours![
        "host name does not resolve" => name_does_not_resolve,
        "connection refused" => connection_is_refused,
        "connection reset before the response head" => reset_before_head,
        "connection reset inside the body" => reset_inside_body,
        "truncated body" => body_is_truncated,
        "empty reply" => reply_is_empty,
        "invalid response" => response_is_invalid,
        "too many header fields" => too_many_header_fields,
        "body over the limit, with Content-Length" => announced_body_is_too_large,
        "body over the limit, without Content-Length" => unannounced_body_is_too_large,
        "server without TLS" => server_has_no_tls,
    ],
};

/// Checks that the URL fails in this way, at both attempts or, if it is not retried, at the first.
async fn check_failure(
    context: &TestContext,
    url: String,
    policy: Policy,
    expected: &str,
) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher_with_policy(policy.attempts(2))?;
    let outcome = fetcher.fetch(get_request(url.clone())?).await;
    check_eq(
        &format!("attempts of {outcome}"),
        attempt_labels(&outcome),
        expected,
    )?;
    let Some(error) = outcome.error() else {
        return check_eq("end", outcome.to_string(), "an error");
    };
    check(
        "the error names the URL",
        error.to_string().contains(&url),
        error,
    )?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)
}

async fn check_failure_at(context: &TestContext, path: &str, expected: &str) -> CheckResult {
    let site = Site::start()?;
    check_failure(context, site.url(path), test_policy(), expected).await
}

/// Where the adapter can tell that the name does not exist, it is not asked for again.
async fn name_does_not_resolve(context: &TestContext) -> CheckResult {
    let url = "http://nonexistent.invalid/";
    let fetcher = context.fetcher_with_policy(test_policy().attempts(2))?;
    let labels = attempt_labels(&fetcher.fetch(get_request(url)?).await);
    let expected = match labels.as_str() {
        "unknown_host" => "unknown_host",
        _ => "dns, dns",
    };
    check_failure(context, url.into(), test_policy(), expected).await
}

async fn connection_is_refused(context: &TestContext) -> CheckResult {
    let (_taken, url) = refused_url()?;
    check_failure(context, url, test_policy(), "connect, connect").await
}

async fn reset_before_head(context: &TestContext) -> CheckResult {
    check_failure_at(context, "/reset", "io, io").await
}

async fn reset_inside_body(context: &TestContext) -> CheckResult {
    check_failure_at(context, "/reset-body", "io, io").await
}

async fn body_is_truncated(context: &TestContext) -> CheckResult {
    check_failure_at(context, "/truncate", "io, io").await
}

async fn reply_is_empty(context: &TestContext) -> CheckResult {
    check_failure_at(context, "/empty-reply", "empty_reply, empty_reply").await
}

async fn response_is_invalid(context: &TestContext) -> CheckResult {
    check_failure_at(context, "/garbage", "protocol").await
}

async fn too_many_header_fields(context: &TestContext) -> CheckResult {
    check_failure_at(context, "/head-flood", "protocol").await
}

async fn announced_body_is_too_large(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let url = site.url("/bytes/100000");
    check_failure(context, url, test_policy().max_body(50_000), "BodyTooLarge").await
}

async fn unannounced_body_is_too_large(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    check_failure(
        context,
        site.url("/endless"),
        test_policy().max_body(1_000_000),
        "BodyTooLarge",
    )
    .await
}

async fn server_has_no_tls(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let url = site.url("/get").replacen("http://", "https://", 1);
    check_failure(context, url, test_policy(), "tls").await
}
