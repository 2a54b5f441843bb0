//! What a program sends and reads every day: JSON, forms, queries, credentials, repeatable uploads.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;

use bytes::Bytes;
use fetch_all::{Form, Request};
use fetch_testbed::Site;
use futures::stream;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    Mismatch, TestContext, attempt_labels, check, check_eq, check_ok, get_request, outcome_label,
    refused_url,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Requests",
    behaviours: behaviours![
        "JSON is sent and read" => json_is_sent_and_read,
        "forms and queries are sent" => forms_and_queries_are_sent,
        "Basic and Bearer credentials are sent" => credentials_are_sent,
        "a form with a file is sent, and again for a retry" => form_with_file_is_sent_again,
        "an upload that can be produced again is retried" => produced_upload_is_retried,
        "only the first clone sends a body that can be sent once" => once_body_is_sent_once,
        "requests and responses of the crate `http`" => http_types_are_converted,
        "an error keeps its source" => error_keeps_its_source,
        "a response has the server's address" => response_has_address,
        "a status can be an error, with its body" => status_can_be_an_error,
    ],
};

async fn json_is_sent_and_read(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let order = BTreeMap::from([("amount", 3)]);
    let request = Request::post(site.url("/anything/json"))?.json(&order)?;
    let outcome = context.fetcher(|_| {})?.fetch(request).await;
    let answer: serde_json::Value = outcome.into_success()?.json()?;
    check_eq(
        "url",
        answer["url"].as_str(),
        Some(&*site.url("/anything/json")),
    )?;
    let seen = site.last_request("/anything/json");
    let seen = seen.expect("the request was recorded");
    check_eq(
        "type",
        seen.header("content-type"),
        Some("application/json"),
    )?;
    check_eq("body", &seen.body[..], &br#"{"amount":3}"#[..])
}

async fn forms_and_queries_are_sent(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let request = Request::patch(site.url("/anything/form"))?;
    let request = request.query(&[("page", 2)])?.form(&[("q", "a b&c")])?;
    let outcome = context.fetcher(|_| {})?.fetch(request).await;
    check_ok(&outcome)?;
    let seen = site.last_request("/anything/form?page=2");
    let seen = seen.expect("the request was recorded");
    let form = "application/x-www-form-urlencoded";
    check_eq("type", seen.header("content-type"), Some(form))?;
    check_eq("body", &seen.body[..], &b"q=a+b%26c"[..])
}

async fn credentials_are_sent(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let fetcher = context.fetcher(|_| {})?;
    let url = site.url("/anything/credentials");
    let basic = Request::delete(&url)?.basic_auth("alice", Some("a:b"));
    let bearer = Request::delete(&url)?.bearer_auth("t0k3n")?;
    for (request, value) in [(basic, "Basic YWxpY2U6YTpi"), (bearer, "Bearer t0k3n")] {
        check_ok(&fetcher.fetch(request).await)?;
        let seen = site.last_request("/anything/credentials");
        let seen = seen.expect("the request was recorded");
        check_eq("credentials", seen.header("authorization"), Some(value))?;
    }
    Ok(())
}

async fn form_with_file_is_sent_again(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    // More than one piece, and more than a socket takes at once.
    let content: Vec<u8> = (0..300_000_u32).map(|n| b'a' + (n % 26) as u8).collect();
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("cat.png");
    std::fs::write(&path, &content)?;
    let form = Form::new().text("title", "A cat").file("photo", &path);
    let request = Request::post(site.url("/flaky/2?key=form"))?.multipart(form)?;
    let fetcher = context.fetcher(|_| {})?;
    let outcome = fetcher.fetch(request.idempotent(true)).await;
    check_eq("attempts", attempt_labels(&outcome), "503, 503, 200")?;
    let seen = site.last_request("/flaky/2?key=form");
    let seen = seen.expect("the request was recorded");
    let kind = seen.header("content-type").unwrap_or_default();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=");
    let boundary = boundary.ok_or_else(|| Mismatch(format!("no form: {kind}")))?;
    let before = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nA cat\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"cat.png\"\r\n\
         Content-Type: image/png\r\n\r\n"
    );
    let after = format!("\r\n--{boundary}--\r\n");
    let expected = [before.as_bytes(), &content, after.as_bytes()].concat();
    // The site records the beginning of a body.
    let recorded = &expected[..seen.body.len().min(expected.len())];
    let has_file = seen.body == recorded && seen.body.len() > before.len();
    check("the form came", has_file, seen.body.len())?;
    let length = expected.len().to_string();
    check_eq("length", seen.header("content-length"), Some(&*length))?;
    let missing = Form::new().file("photo", directory.path().join("missing"));
    let refused = Request::post(site.url("/anything"))?.multipart(missing);
    let error = refused.err().map(|error| error.to_string());
    let error = error.unwrap_or_default();
    check(
        "a missing file is named",
        error.contains("missing: cannot be read"),
        error,
    )
}

async fn response_has_address(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    let response = fetcher.fetch(get_request(site.url("/get"))?).await.result?;
    let authority = response.remote_addr().map(|addr| addr.to_string());
    let authority = authority.ok_or_else(|| Mismatch("there is no address".into()))?;
    check(
        "it is the site's",
        site.url("/").contains(&authority),
        authority,
    )?;
    let opened = fetcher.open(get_request(site.url("/get"))?).await?;
    let remote = opened.connection.and_then(|connection| connection.remote);
    check_eq(
        "address of a streamed response",
        remote,
        response.remote_addr(),
    )
}

async fn produced_upload_is_retried(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let pieces = || stream::iter((0..3).map(|_| io::Result::Ok(Bytes::from_static(b"abc"))));
    let request = Request::put(site.url("/flaky/2?key=upload"))?.body_from(Some(9), pieces);
    let outcome = context.fetcher(|_| {})?.fetch(request).await;
    check_eq("attempts", attempt_labels(&outcome), "503, 503, 200")
}

async fn once_body_is_sent_once(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    let pieces = Box::pin(stream::iter([Ok(Bytes::from_static(b"abc"))]));
    let request = Request::put(site.url("/anything"))?.body_stream(None, pieces);
    check_ok(&fetcher.fetch(request.clone()).await)?;
    let outcome = fetcher.fetch(request).await;
    let error = outcome.error().map(ToString::to_string).unwrap_or_default();
    check("the error names the clone", error.contains("clone"), error)
}

async fn http_types_are_converted(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let request = http::Request::put(site.url("/anything")).body("abc")?;
    let outcome = context.fetcher(|_| {})?.fetch(request.try_into()?).await;
    let response = http::Response::from(outcome.result?);
    check_eq("status", response.status(), 200_u16)?;
    check("the body came", !response.body().is_empty(), "body")
}

async fn error_keeps_its_source(context: &TestContext) -> CheckResult {
    let (_taken, url) = refused_url()?;
    let outcome = context.fetcher(|_| {})?.fetch(get_request(url)?).await;
    let error = outcome.result.err();
    let error = error.ok_or_else(|| Mismatch("it was not refused".into()))?;
    check("it is a connect error", error.is_connect(), &error)?;
    check("it is no time limit", !error.is_timeout(), &error)?;
    let mut source = error.source();
    while let Some(inner) = source {
        let kind = inner.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind == Some(io::ErrorKind::ConnectionRefused) {
            return Ok(());
        }
        source = inner.source();
    }
    Err(Mismatch(format!(
        "no refused connection is the source of: {error}"
    )))
}

async fn status_can_be_an_error(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let request = get_request(site.url("/status/404"))?;
    let outcome = context.fetcher(|_| {})?.fetch(request).await;
    check_eq("end", outcome_label(&outcome), "404")?;
    let error = outcome.into_success().err();
    let error = error.ok_or_else(|| Mismatch("404 is no error".into()))?;
    check_eq(
        "status",
        error.status().map(|status| status.as_u16()),
        Some(404),
    )?;
    check(
        "it names the URL",
        error.to_string().contains("/status/404"),
        &error,
    )?;
    let body = error.partial_response().map(|response| response.body.len());
    check("it has the body", body > Some(0), format_args!("{body:?}"))?;
    let retried = get_request(site.url("/status/503"))?;
    let outcome = context.fetcher(|_| {})?.fetch(retried).await;
    let error = outcome.into_success().err();
    check_eq("attempts", error.map(|error| error.attempts()), Some(3))
}
