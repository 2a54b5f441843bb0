//! Fetches against a scripted server.

use std::time::Duration;

use fetch_proto::testing::{FetchScript, ScriptRun, ScriptedAnswer, failure, hang, status};
use fetch_proto::{
    Attempt, Backoff, FailureKind, FetchError, OverCap, Policy, RedirectError, RedirectPolicy,
    RequestBodyKind, RetryAfterPolicy, StatusSet, Timeouts,
};
use libtest_mimic::Failed;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::table;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScriptCase {
    #[serde(default = "get")]
    method: String,
    #[serde(default = "root")]
    url: String,
    #[serde(default)]
    body: BodyOption,
    #[serde(default)]
    policy: PolicyOptions,
    answers: Vec<AnswerOptions>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BodyOption {
    #[default]
    None,
    Replayable,
    Once,
}

/// Differences from the default policy without jitter.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyOptions {
    allow_downgrade: Option<bool>,
    attempts: Option<u16>,
    base_ms: Option<u64>,
    cap_ms: Option<u64>,
    /// What happens to a `Retry-After` over its cap.
    over_cap: Option<String>,
    redirects: Option<u16>,
    retry_after_cap_ms: Option<u64>,
    retry_non_idempotent: Option<bool>,
    statuses: Option<Vec<u16>>,
    total_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerOptions {
    /// A status, "hang", or the name of a failure.
    is: Value,
    location: Option<String>,
    retry_after_ms: Option<u64>,
    /// How many times the answer is given.
    #[serde(default = "once")]
    times: usize,
}

fn get() -> String {
    "GET".into()
}

fn root() -> String {
    "http://a.test/".into()
}

fn once() -> usize {
    1
}

pub(crate) fn curl(set: &str) -> Result<(), Failed> {
    table::run(set, include_str!("data/retries_curl.json"), starts)
}

pub(crate) fn got(set: &str) -> Result<(), Failed> {
    table::run(set, include_str!("data/retries_got.json"), starts)
}

pub(crate) fn smithy(set: &str) -> Result<(), Failed> {
    table::run(set, include_str!("data/retries_smithy.json"), starts)
}

/// The time, method and path of each request, and how the fetch ended.
fn starts(given: &ScriptCase) -> Value {
    let run = play(given);
    let times = run
        .outcome()
        .attempts
        .iter()
        .map(|attempt| attempt.timings.started);
    let requests = run.attempts().iter().zip(times);
    let lines: Vec<_> = requests
        .map(|(sent, at)| format!("{at} {} {}", sent.method, sent.url.path()))
        .collect();
    json!({ "requests": lines, "end": end(&run) })
}

/// Runs the fetch to its end.
pub(crate) fn play(given: &ScriptCase) -> ScriptRun {
    let mut script = FetchScript::new(policy(&given.policy));
    script.request(|request| {
        request.method = given.method.parse().expect("a method");
        request.url = std::sync::Arc::new(given.url.parse().expect("a URL"));
        request.body = match given.body {
            BodyOption::None => RequestBodyKind::None,
            BodyOption::Once => RequestBodyKind::Once,
            BodyOption::Replayable => RequestBodyKind::Replayable,
        };
    });
    for answer in &given.answers {
        script.answers(vec![self::answer(answer); answer.times]);
    }
    script.run()
}

/// The request as text: method, URL, whether body and credentials are sent.
pub(crate) fn describe(given: &ScriptCase, sent: &Attempt) -> String {
    let body = sent.send_body && !matches!(given.body, BodyOption::None);
    let body = if body { " with body" } else { "" };
    let bare = if sent.send_credentials {
        ""
    } else {
        " without credentials"
    };
    format!("{} {}{body}{bare}", sent.method, sent.url)
}

/// The status of the fetch, or its error.
pub(crate) fn end(run: &ScriptRun) -> Value {
    match &run.outcome().result {
        Ok(finish) => json!(finish.status),
        Err(FetchError::Redirect(RedirectError::TooMany)) => json!("too many redirects"),
        Err(FetchError::Redirect(_)) => json!("redirect refused"),
        Err(error) => json!(error.as_str()),
    }
}

fn policy(given: &PolicyOptions) -> Policy {
    let mut backoff = Backoff::default().jitter(None);
    if let Some(base) = given.base_ms {
        backoff = backoff.base(Duration::from_millis(base));
    }
    if let Some(cap) = given.cap_ms {
        backoff = backoff.cap(Duration::from_millis(cap));
    }
    let mut retry_after = RetryAfterPolicy::default();
    if let Some(cap) = given.retry_after_cap_ms {
        retry_after.cap = Duration::from_millis(cap);
    }
    if let Some(over) = &given.over_cap {
        retry_after.over = match over.as_str() {
            "clamp" => OverCap::Clamp,
            "defer" => OverCap::Defer,
            other => panic!("no such choice: {other}"),
        };
    }
    let redirects = given
        .redirects
        .map_or_else(RedirectPolicy::default, RedirectPolicy::limit)
        .follow(given.redirects != Some(0));
    let mut timeouts = Timeouts::default();
    if let Some(total) = given.total_ms {
        timeouts.total = Some(Duration::from_millis(total));
    }
    let statuses = given.statuses.as_ref();
    let statuses = statuses.map(|statuses| statuses.iter().copied().collect());
    Policy::default()
        .attempts(given.attempts.unwrap_or(3))
        .backoff(backoff)
        .redirects(redirects.allow_downgrade(given.allow_downgrade == Some(true)))
        .retry_after(retry_after)
        .retry_non_idempotent(given.retry_non_idempotent == Some(true))
        .retry_statuses(statuses.unwrap_or(StatusSet::RETRYABLE))
        .timeouts(timeouts)
}

fn answer(given: &AnswerOptions) -> ScriptedAnswer {
    let mut answer = match (given.is.as_u64(), given.is.as_str()) {
        (Some(code), _) => status(u16::try_from(code).expect("a status")),
        (_, Some("hang")) => hang(),
        (_, Some("io")) => failure(FailureKind::Io),
        (_, Some("connect")) => failure(FailureKind::Connect),
        (_, Some("protocol")) => failure(FailureKind::Protocol),
        (_, other) => panic!("no such answer: {other:?}"),
    };
    if let Some(location) = &given.location {
        answer = answer.location(location);
    }
    match given.retry_after_ms {
        Some(wait) => answer.retry_after(Duration::from_millis(wait)),
        None => answer,
    }
}
