//! Requests that get a response.

use bytes::Bytes;
use fetch_all::Request;
use fetch_testbed::Site;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    TestContext, attempt_labels, check, check_eq, check_ok, collect_outcomes, get_request,
    get_requests, new_request, outcome_label, test_policy,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Responses",
    behaviours: behaviours![
        "GET" => get_succeeds,
        "every status is a response" => every_status_is_a_response,
        "an unregistered status is a response" => unregistered_status_is_a_response,
        "HEAD" => head_response_has_no_body,
        "POST and PUT with a body" => request_bodies_are_sent,
        "streamed request body" => streamed_request_body_is_sent,
        "basic authentication from the URL" => basic_auth_is_sent,
        "header fields are sent, with one User-Agent" => header_fields_are_sent,
        "gzip, brotli and zstd are decoded" => content_codings_are_decoded,
        "decoding can be switched off" => decoding_can_be_switched_off,
        "compression need not be requested" => compression_need_not_be_requested,
        "the body limit stops a gzip bomb" => gzip_bomb_is_stopped,
        "an invalid URL is an outcome with an error" => invalid_url_is_an_outcome,
    ],
};

async fn get_succeeds(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let outcome = context
        .fetcher(|_| {})?
        .fetch(get_request(site.url("/get?a=b"))?)
        .await;
    check_ok(&outcome)?;
    let response = outcome.response().expect("the fetch succeeded");
    let text = String::from_utf8_lossy(&response.body);
    let shown = format!("\"url\":\"{}\"", site.url("/get?a=b"));
    check("the body is what was sent", text.contains(&shown), &text)?;
    check_eq(
        "type",
        &response.headers["content-type"],
        "application/json",
    )?;
    check_eq("bytes", response.bytes, outcome.wire_bytes)
}

async fn every_status_is_a_response(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher_with_policy(test_policy().attempts(1))?;
    for status in [200, 201, 204, 304, 400, 404, 418, 500, 503] {
        let outcome = fetcher
            .fetch(get_request(site.url(&format!("/status/{status}")))?)
            .await;
        check_eq("end", outcome_label(&outcome), status.to_string())?;
        check_eq("success", outcome.is_success(), status < 300)?;
    }
    Ok(())
}

async fn unregistered_status_is_a_response(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let outcome = context
        .fetcher(|_| {})?
        .fetch(get_request(site.url("/status/599"))?)
        .await;
    check_eq("end", outcome_label(&outcome), "599")
}

async fn head_response_has_no_body(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    for _ in 0..2 {
        let outcome = fetcher
            .fetch(new_request("HEAD", site.url("/bytes/1000"))?)
            .await;
        check_ok(&outcome)?;
        let response = outcome.response().expect("the fetch succeeded");
        check_eq("length", &response.headers["content-length"], "1000")?;
        check_eq("body", response.body.len(), 0_usize)?;
    }
    let after = fetcher.fetch(get_request(site.url("/bytes/7"))?).await;
    check_eq(
        "bytes after it",
        after.response().map(|response| response.bytes),
        Some(7),
    )?;
    check_eq("connections", site.observed().connections, 1_u64)
}

async fn request_bodies_are_sent(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let fetcher = context.fetcher(|_| {})?;
    for method in ["POST", "PUT", "PATCH"] {
        for length in [0, 5, 100_000] {
            let path = format!("/anything/{method}/{length}");
            let body = Bytes::from(vec![b'a'; length]);
            let upload = new_request(method, site.url(&path))?.body(body.clone());
            let upload = upload.header("content-type", "text/plain")?;
            check_ok(&fetcher.fetch(upload).await)?;
            let seen = site.last_request(&path).expect("the request was recorded");
            let what = |field| format!("{field} of {path}");
            check_eq(&what("method"), seen.method.as_str(), method)?;
            check_eq(
                &what("type"),
                seen.header("content-type"),
                Some("text/plain"),
            )?;
            let sent_length = length.to_string();
            check_eq(
                &what("length"),
                seen.header("content-length"),
                Some(sent_length.as_str()),
            )?;
            let recorded = body.slice(..length.min(16 * 1024));
            check(
                "the server received the body",
                seen.body == recorded,
                what("body"),
            )?;
        }
    }
    Ok(())
}

async fn streamed_request_body_is_sent(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let fetcher = context.fetcher(|_| {})?;
    for (path, length) in [
        ("/anything/unknown", None),
        ("/anything/known", Some(9_000)),
    ] {
        let chunks = (0..9).map(|_| Ok(Bytes::from_static(&[b'x'; 1_000])));
        let chunks = Box::pin(futures::stream::iter(chunks));
        let upload = new_request("PUT", site.url(path))?.body_stream(length, chunks);
        check_ok(&fetcher.fetch(upload).await)?;
        let seen = site.last_request(path).expect("the request was recorded");
        check_eq("bytes", seen.body.len(), 9_000_usize)?;
        let sent_length = length.map(|length: u64| length.to_string());
        check_eq(
            "length",
            seen.header("content-length"),
            sent_length.as_deref(),
        )?;
    }
    Ok(())
}

async fn basic_auth_is_sent(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    let url = site.url("/basic-auth/me@home/pa:ss");
    let known = url.replacen("://", "://me%40home:pa%3Ass@", 1);
    let outcome = fetcher.fetch(get_request(known)?).await;
    check_ok(&outcome)?;
    check(
        "the password is not shown",
        !outcome.to_string().contains("pa%3Ass"),
        &outcome,
    )?;
    let wrong = url.replacen("://", "://me:wrong@", 1);
    check_eq(
        "end",
        outcome_label(&fetcher.fetch(get_request(wrong)?).await),
        "401",
    )
}

async fn header_fields_are_sent(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let fetcher = context.fetcher(|_| {})?;
    let request = get_request(site.url("/headers"))?
        .header("x-a", "1")?
        .header("x-a", "2")?;
    check_ok(&fetcher.fetch(request).await)?;
    let seen = site
        .last_request("/headers")
        .expect("the request was recorded");
    let all = |name: &str| {
        let found = seen.headers.iter().filter(|(each, _)| each == name);
        found
            .map(|(_, value)| value.clone())
            .collect::<Vec<_>>()
            .join(", ")
    };
    check_eq("x-a", all("x-a"), "1, 2")?;
    check_eq(
        "user-agent",
        all("user-agent"),
        concat!("fetch-all/", env!("CARGO_PKG_VERSION")),
    )?;
    check_eq("host", all("host"), site.address().to_string())?;
    check_eq("accept", all("accept"), "*/*")
}

async fn content_codings_are_decoded(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher(|_| {})?;
    for path in ["/gzip", "/brotli", "/zstd", "/deflate"] {
        let outcome = fetcher.fetch(get_request(site.url(path))?).await;
        check_ok(&outcome)?;
        let response = outcome.response().expect("the fetch succeeded");
        check(path, response.body.starts_with(b"{\"method\""), &outcome)?;
        let left = response.headers.get("content-encoding");
        check_eq("remaining content-encoding", left, None)?;
        check(
            "the size on the wire is reported",
            outcome.wire_bytes != response.bytes,
            path,
        )?;
    }
    Ok(())
}

async fn decoding_can_be_switched_off(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let fetcher = context.fetcher(|settings| settings.decode = false)?;
    let outcome = fetcher.fetch(get_request(site.url("/gzip"))?).await;
    check_ok(&outcome)?;
    let response = outcome.response().expect("the fetch succeeded");
    check(
        "the body is as sent",
        response.body.starts_with(&[0x1f, 0x8b]),
        &outcome,
    )?;
    check_eq("coding", &response.headers["content-encoding"], "gzip")?;
    let seen = site
        .last_request("/gzip")
        .expect("the request was recorded");
    check_eq("accept-encoding", seen.header("accept-encoding"), None)
}

async fn compression_need_not_be_requested(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let fetcher = context.fetcher(|settings| settings.request_codings = false)?;
    let outcome = fetcher.fetch(get_request(site.url("/gzip"))?).await;
    check_ok(&outcome)?;
    let response = outcome.response().expect("the fetch succeeded");
    let is_decoded = response.body.starts_with(b"{\"method\"");
    check("the body is decoded nevertheless", is_decoded, &outcome)?;
    let seen = site
        .last_request("/gzip")
        .expect("the request was recorded");
    check_eq("accept-encoding", seen.header("accept-encoding"), None)
}

async fn gzip_bomb_is_stopped(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher_with_policy(test_policy().max_body(1 << 20))?;
    let outcome = fetcher.fetch(get_request(site.url("/gzip-bomb/64"))?).await;
    check_eq("end", outcome_label(&outcome), "too_large")?;
    check_eq("attempts", attempt_labels(&outcome), "BodyTooLarge")
}

async fn invalid_url_is_an_outcome(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let urls = vec!["nonsense".into(), "ftp://a.test/".into(), site.url("/get")];
    let outcomes = collect_outcomes((context.adapter.fetch_all)(urls)).await;
    let ends: Vec<_> = outcomes.iter().map(outcome_label).collect();
    check_eq("ends", ends, ["invalid_url", "invalid_url", "200"])?;
    let fetcher = context.fetcher(|_| {})?;
    check_eq(
        "outcomes of an empty list",
        collect_outcomes(fetcher.fetch_all(get_requests(std::iter::empty())))
            .await
            .len(),
        0_usize,
    )?;
    check(
        "the URL is refused",
        Request::get("http://").is_err(),
        "http://",
    )
}
