//! Functions of the caller that decide about attempts and responses.

use std::time::Duration;

use fetch_all::{HookError, PolicyRules, RetryClass, Timeouts, Verdict};
use fetch_testbed::Site;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    TestContext, attempt_labels, check, check_eq, check_ok, get_request, outcome_label, test_policy,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Hooks",
    behaviours: behaviours![
        "a hook adds a field to each attempt" => hook_adds_a_field,
        "a hook refuses a request before it is sent" => hook_refuses,
        "a hook that fails is called again for the next attempt" => hook_fails_once,
        "a hook that takes too long ends the attempt" => hook_takes_too_long,
        "a response is classified by its first bytes, and retried" => response_is_retried,
        "a rejected response fails the fetch, an accepted one is the result" => response_is_decided,
        "the first bytes stay part of the body" => first_bytes_are_delivered,
    ],
};

async fn hook_adds_a_field(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|settings| {
        settings.add_before_attempt(|mut request| async move {
            let number = request.attempt();
            request.headers_mut().insert("x-attempt", number.into());
            Ok(request)
        });
    })?;
    let url = site.url("/redirect-to?url=/headers&status=302");
    let outcome = fetcher.fetch(get_request(url)?).await;
    check_ok(&outcome)?;
    let body = outcome.result.map(|response| response.body)?;
    let text = String::from_utf8_lossy(&body).to_lowercase();
    let text: String = text.split_whitespace().collect();
    check(
        "the second attempt's field",
        text.contains("\"x-attempt\":\"2\""),
        text,
    )
}

async fn hook_refuses(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let fetcher = context.fetcher(|settings| {
        settings.add_before_attempt(|_| async { Err(HookError::refused("it is night")) });
    })?;
    let outcome = fetcher.fetch(get_request(site.url("/get"))?).await;
    check_eq("outcome", &*outcome_label(&outcome), "disallowed")?;
    let text = outcome.result.map_err(|error| error.to_string());
    check_eq(
        "reason",
        text.is_err_and(|text| text.contains("it is night")),
        true,
    )?;
    check_eq("requests", site.hits("/get"), 0)
}

async fn hook_fails_once(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let fetcher = context.fetcher(|settings| {
        settings.add_before_attempt(|request| async {
            match request.attempt() {
                1 => Err(HookError::failed("no answer from the vault")),
                _ => Ok(request),
            }
        });
    })?;
    let outcome = fetcher.fetch(get_request(site.url("/get"))?).await;
    check_ok(&outcome)?;
    check_eq("attempts", &*attempt_labels(&outcome), "hook, 200")?;
    check_eq("requests", site.hits("/get"), 1)
}

async fn hook_takes_too_long(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let timeouts = Timeouts::NONE.hook(Duration::from_millis(30));
    let policy = test_policy().attempts(2).timeouts(timeouts);
    let fetcher = context.fetcher(|settings| {
        settings.update_config(|config| config.rules(PolicyRules::from_policy(policy)));
        settings.add_before_attempt(|request| async {
            match request.attempt() {
                1 => std::future::pending().await,
                _ => Ok(request),
            }
        });
    })?;
    let outcome = fetcher.fetch(get_request(site.url("/get"))?).await;
    check_eq("attempts", &*attempt_labels(&outcome), "hook timeout, 200")?;
    check_eq("requests", site.hits("/get"), 1)
}

async fn response_is_retried(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|settings| {
        settings.set_classify(4, |response| async move {
            match (&response.first_bytes[..], response.attempt()) {
                ([_, _, _, _], 1) => Verdict::retry(RetryClass::Server, "not yet"),
                ([_, _, _, _], _) => Verdict::by_policy(),
                _ => Verdict::fail("four bytes were asked for"),
            }
        });
    })?;
    let outcome = fetcher.fetch(get_request(site.url("/bytes/1000"))?).await;
    check_ok(&outcome)?;
    check_eq("attempts", &*attempt_labels(&outcome), "200, 200")?;
    check_eq("retries", outcome.retries, 1)
}

async fn response_is_decided(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|settings| {
        settings.set_classify(0, |response| async move {
            match response.status.as_u16() {
                200 => Verdict::fail("nothing is good enough"),
                _ => Verdict::accept(),
            }
        });
    })?;
    for (path, expected) in [
        ("/get", "rejected"),
        ("/status/503", "503"),
        ("/redirect/2", "302"),
    ] {
        let outcome = fetcher.fetch(get_request(site.url(path))?).await;
        check_eq(path, &*outcome_label(&outcome), expected)?;
        check_eq("attempts", outcome.attempts.len(), 1)?;
        let text = outcome.result.map_err(|error| error.to_string());
        let has_reason = text
            .err()
            .is_none_or(|text| text.contains("nothing is good enough"));
        check_eq("reason", has_reason, true)?;
    }
    Ok(())
}

async fn first_bytes_are_delivered(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let plain = context.fetcher(|_| ())?;
    for path in [
        "/bytes/0",
        "/bytes/300000",
        "/stream-bytes/9000?chunk=1000",
        "/gzip",
    ] {
        let expected = plain.fetch(get_request(site.url(path))?).await.result?.body;
        let fetcher = context.fetcher(|settings| {
            settings.set_classify(2500, |response| async move {
                match response.first_bytes.len() {
                    0..=2500 => Verdict::by_policy(),
                    _ => Verdict::fail("too much"),
                }
            });
        })?;
        let body = fetcher
            .fetch(get_request(site.url(path))?)
            .await
            .result?
            .body;
        check_eq(path, body, expected)?;
    }
    Ok(())
}
