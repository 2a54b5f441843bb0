//! Redirects, as the servers at both ends see them.

use fetch_all::RedirectPolicy;
use fetch_testbed::{Certificate, Site};

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    TestContext, attempt_labels, check, check_eq, check_ok, get_request, new_request,
    outcome_label, test_policy,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Redirects",
    behaviours: behaviours![
        "301, 302, 303, 307, 308 with GET, POST, PUT, HEAD" => method_and_body_follow_status,
        "credentials are not sent to another origin" => credentials_stay_with_origin,
        "https to http is refused" => https_to_http_is_refused,
        "http to https is followed" => http_to_https_is_followed,
        "a redirect loop ends" => redirect_loop_ends,
        "the redirect limit ends the fetch" => redirect_limit_holds,
        "redirects can be returned to the caller" => redirect_can_be_returned,
        "another host has its own connection" => other_host_has_own_connection,
    ],
};

async fn method_and_body_follow_status(context: &TestContext) -> CheckResult {
    let site = Site::builder().record(true).start()?;
    let fetcher = context.fetcher(|_| {})?;
    for status in [301, 302, 303, 307, 308] {
        for method in ["GET", "POST", "PUT", "HEAD"] {
            let target = format!("/anything/{status}/{method}");
            let url = site.url(&format!("/redirect-to?url={target}&status={status}"));
            let mut request = new_request(method, url)?;
            let has_body = matches!(method, "POST" | "PUT");
            if has_body {
                request = request.header("content-type", "text/plain")?.body("a=b");
            }
            let outcome = fetcher.fetch(request).await;
            check_ok(&outcome)?;
            check_eq("redirects", outcome.redirects, 1_u16)?;
            let becomes_get = match status {
                303 => has_body,
                301 | 302 => method == "POST",
                _ => false,
            };
            let seen = site
                .last_request(&target)
                .expect("the request was recorded");
            let wanted = if becomes_get { "GET" } else { method };
            check_eq(&target, seen.method.as_str(), wanted)?;
            let body: &[u8] = if has_body && !becomes_get {
                b"a=b"
            } else {
                b""
            };
            check_eq(&format!("body of {target}"), seen.body.as_slice(), body)?;
            let kind = seen.header("content-type").is_some();
            check_eq(&format!("type of {target}"), kind, !body.is_empty())?;
            let url = &outcome.response().expect("the fetch succeeded").url;
            check_eq("the response's URL", url.path(), target.as_str())?;
        }
    }
    Ok(())
}

async fn credentials_stay_with_origin(context: &TestContext) -> CheckResult {
    let elsewhere = Site::builder().record(true).start()?;
    let site = Site::builder().record(true).start()?;
    let fetcher = context.fetcher(|_| {})?;
    for (target, kept) in [
        (elsewhere.url("/anything"), false),
        (site.url("/anything"), true),
    ] {
        let url = site.url(&format!("/redirect-to?url={target}"));
        let url = url.replacen("://", "://user:secret@", 1);
        let request = get_request(url)?
            .header("cookie", "a=b")?
            .header("x-api-key", "1")?
            .header("accept-language", "de")?;
        let outcome = fetcher.fetch(request).await;
        check_ok(&outcome)?;
        check_eq("withheld", outcome.withheld.len(), if kept { 0 } else { 3 })?;
        let there = if kept { &site } else { &elsewhere };
        let seen = there
            .last_request("/anything")
            .expect("the request was recorded");
        check_eq(
            "authorization",
            seen.header("authorization").is_some(),
            kept,
        )?;
        check_eq("cookie", seen.header("cookie").is_some(), kept)?;
        check_eq("x-api-key", seen.header("x-api-key").is_some(), kept)?;
        check_eq(
            "accept-language",
            seen.header("accept-language"),
            Some("de"),
        )?;
    }
    Ok(())
}

async fn https_to_http_is_refused(context: &TestContext) -> CheckResult {
    let plain = Site::start()?;
    let site = Site::builder().tls(Certificate::Good).start()?;
    let fetcher = context.fetcher(|settings| settings.tls.insecure = true)?;
    let url = site.url(&format!("/redirect-to?url={}", plain.url("/get")));
    let outcome = fetcher.fetch(get_request(url)?).await;
    check_eq("end", outcome_label(&outcome), "redirect")?;
    let text = outcome.to_string();
    check(
        "the error names the reason",
        text.contains("https to http"),
        &text,
    )?;
    check_eq("requests in the clear", plain.observed().requests, 0_u64)
}

async fn http_to_https_is_followed(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let secure = Site::builder().tls(Certificate::Good).start()?;
    let fetcher = context.fetcher(|settings| settings.tls.insecure = true)?;
    let url = site.url(&format!(
        "/redirect-to?url={}&status=308",
        secure.url("/get")
    ));
    check_ok(&fetcher.fetch(get_request(url)?).await)
}

async fn redirect_loop_ends(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let outcome = context
        .fetcher(|_| {})?
        .fetch(get_request(site.url("/redirect-loop"))?)
        .await;
    check_eq("end", outcome_label(&outcome), "redirect")?;
    check_eq("redirects", outcome.redirects, 10_u16)?;
    check_eq("requests", site.observed().requests, 11_u64)
}

async fn redirect_limit_holds(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher_with_policy(test_policy().redirects(RedirectPolicy::limit(3)))?;
    let allowed = fetcher.fetch(get_request(site.url("/redirect/3"))?).await;
    check_eq(
        "three redirects",
        attempt_labels(&allowed),
        "302, 302, 302, 200",
    )?;
    let outcome = fetcher.fetch(get_request(site.url("/redirect/4"))?).await;
    check_eq("four redirects", outcome_label(&outcome), "redirect")
}

async fn redirect_can_be_returned(context: &TestContext) -> CheckResult {
    let site = Site::start()?;
    let fetcher = context.fetcher_with_policy(test_policy().redirects(RedirectPolicy::NONE))?;
    let outcome = fetcher
        .fetch(get_request(site.url("/redirect/2?status=307"))?)
        .await;
    check_eq("end", outcome_label(&outcome), "307")?;
    let response = outcome.response().expect("there is a response");
    check(
        "the response has a Location",
        response.headers.contains_key("location"),
        &outcome,
    )?;
    check_eq("requests", site.observed().requests, 1_u64)
}

async fn other_host_has_own_connection(context: &TestContext) -> CheckResult {
    let site = Site::builder().addresses(2).start()?;
    let fetcher = context.fetcher(|_| {})?;
    for _ in 0..5 {
        let target = site.url_at(1, "/get");
        let url = site.url(&format!("/redirect-to?url={target}"));
        check_ok(&fetcher.fetch(get_request(url)?).await)?;
    }
    check_eq("connections", site.observed().connections, 2_u64)
}
