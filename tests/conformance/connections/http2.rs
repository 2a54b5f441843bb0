//! HTTP/2, as the server sees it.

use fetch_all::Method;
use fetch_all::driver::Http2Mode;
use fetch_testbed::{Certificate, ScriptedHttp2, ScriptedReply, Site};

use crate::harness::adapter::{DynFetcher, RequestIterator};
use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    Mismatch, TestContext, attempt_labels, check, check_eq, check_ok, collect_outcomes,
    get_request, get_requests, test_policy, wait_until,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "HTTP/2",
    behaviours: behaviours![
        "ALPN selects HTTP/2" => alpn_selects_http2,
        "HTTP/2 can be switched off" => http2_can_be_switched_off,
        "a server without HTTP/2 gets HTTP/1.1" => server_without_http2_uses_http1,
        "concurrent requests share one connection" => requests_share_connection,
        "the server's stream limit is obeyed" => stream_limit_is_obeyed,
        "requests excluded by GOAWAY are sent again, POST included" => goaway_requests_are_resent,
        "a refused stream is sent again, POST included" => refused_stream_is_resent,
        "a cancelled fetch leaves its connection open" => cancelled_fetch_keeps_connection,
    ],
};

fn start_site() -> std::io::Result<Site> {
    let site = Site::builder().tls(Certificate::Good).http2(true);
    site.start()
}

fn trusting_fetcher(
    context: &TestContext,
    site: &Site,
    http2: Http2Mode,
) -> Result<Box<dyn DynFetcher>, Mismatch> {
    let ca = site.ca_pem().unwrap_or_default().as_bytes().to_vec();
    context.fetcher(|settings| {
        settings.tls.ca_certificates.push(ca);
        (settings.http2, settings.pool.max_connections) = (http2, Some(100));
    })
}

/// The HTTP version of the response to `/get`.
async fn response_version(fetcher: &dyn DynFetcher, site: &Site) -> Result<String, Mismatch> {
    let outcome = fetcher.fetch(get_request(site.url("/get"))?).await;
    check_ok(&outcome)?;
    let version = outcome.response().map(|response| response.version);
    Ok(version.map_or_else(String::new, |version| format!("{version:?}")))
}

async fn alpn_selects_http2(context: &TestContext) -> CheckResult {
    let site = start_site()?;
    let fetcher = trusting_fetcher(context, &site, Http2Mode::Auto)?;
    check_eq(
        "version",
        response_version(&*fetcher, &site).await?,
        "HTTP/2.0",
    )
}

async fn http2_can_be_switched_off(context: &TestContext) -> CheckResult {
    let site = start_site()?;
    let fetcher = trusting_fetcher(context, &site, Http2Mode::Off)?;
    check_eq(
        "version",
        response_version(&*fetcher, &site).await?,
        "HTTP/1.1",
    )
}

async fn server_without_http2_uses_http1(context: &TestContext) -> CheckResult {
    let site = Site::builder().tls(Certificate::Good).start()?;
    let fetcher = trusting_fetcher(context, &site, Http2Mode::Auto)?;
    check_eq(
        "version",
        response_version(&*fetcher, &site).await?,
        "HTTP/1.1",
    )
}

async fn requests_share_connection(context: &TestContext) -> CheckResult {
    let site = start_site()?;
    let fetcher = trusting_fetcher(context, &site, Http2Mode::Auto)?;
    let urls: Vec<_> = (0..30).map(|n| site.url(&format!("/bytes/{n}"))).collect();
    let outcomes = collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await;
    outcomes.iter().try_for_each(check_ok)?;
    check_one_connection(&site, 30)
}

async fn stream_limit_is_obeyed(context: &TestContext) -> CheckResult {
    let site = Site::builder()
        .tls(Certificate::Good)
        .http2(true)
        .max_streams(3);
    let site = site.start()?;
    let ca = site.ca_pem().unwrap_or_default().as_bytes().to_vec();
    let fetcher = context.fetcher(|settings| {
        settings.tls.ca_certificates.push(ca);
        settings.pool.max_connections = Some(1);
    })?;
    let urls: Vec<_> = (0..30).map(|_| site.url("/delay/0.02")).collect();
    for outcome in collect_outcomes(fetcher.fetch_all(get_requests(urls.into_iter()))).await {
        check_ok(&outcome)?;
    }
    let seen = site.observed();
    // The server would refuse a stream over the limit, and the request would be sent again.
    check_eq(
        "requests and connections",
        (seen.requests, seen.connections),
        (30, 1),
    )?;
    check_eq("at once", seen.max_in_flight, 3_u64)
}

/// POST requests to the server.
fn post_requests(server: &ScriptedHttp2, count: usize) -> RequestIterator {
    let urls = (0..count).map(|n| server.url(&format!("/{n}")));
    let urls = urls.collect::<Vec<_>>().into_iter();
    Box::new(urls.map(|url| {
        let request = fetch_all::Request::new(Method::Post, url);
        request
            .expect("the URL is valid")
            .body("not to be sent twice")
    }))
}

fn prior_knowledge_fetcher(context: &TestContext) -> Result<Box<dyn DynFetcher>, Mismatch> {
    context.fetcher(|settings| {
        settings.http2 = Http2Mode::PriorKnowledge;
        settings.update_config(|config| {
            config.rules(fetch_all::PolicyRules::from_policy(
                test_policy().attempts(3),
            ))
        });
    })
}

async fn goaway_requests_are_resent(context: &TestContext) -> CheckResult {
    // The server accepts three of the first five requests and sends GOAWAY once it has all five.
    let server = ScriptedHttp2::start(100, |connection, request| match (connection, request) {
        (0, 4..) => ScriptedReply::GoAway,
        (0, 3) => ScriptedReply::Ignore,
        (0, _) => ScriptedReply::Delay,
        _ => ScriptedReply::Respond,
    })?;
    let outcomes =
        collect_outcomes(prior_knowledge_fetcher(context)?.fetch_all(post_requests(&server, 5)))
            .await;
    outcomes.iter().try_for_each(check_ok)?;
    let mut found: Vec<_> = outcomes.iter().map(attempt_labels).collect();
    found.sort();
    check_eq(
        "attempts",
        found,
        ["200", "200", "200", "unprocessed, 200", "unprocessed, 200"],
    )?;
    check_eq("connections", server.connections(), 2_usize)
}

async fn refused_stream_is_resent(context: &TestContext) -> CheckResult {
    let server = ScriptedHttp2::start(100, |_, request| match request {
        0 => ScriptedReply::Refuse,
        _ => ScriptedReply::Respond,
    })?;
    let outcomes =
        collect_outcomes(prior_knowledge_fetcher(context)?.fetch_all(post_requests(&server, 1)))
            .await;
    let found: Vec<_> = outcomes.iter().map(attempt_labels).collect();
    check_eq("attempts", found, ["unprocessed, 200"])?;
    check_eq("connections", server.connections(), 1_usize)
}

async fn cancelled_fetch_keeps_connection(context: &TestContext) -> CheckResult {
    let site = start_site()?;
    let fetcher = trusting_fetcher(context, &site, Http2Mode::Auto)?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
    let stalls = fetcher.fetch(get_request(site.url("/stall"))?);
    let seen = wait_until(&site, "the request", |seen| seen.in_flight == 1);
    crate::harness::context::drop_after(stalls, seen).await?;
    wait_until(&site, "the reset", |seen| seen.cut_by_peer == 1).await?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
    check_one_connection(&site, 3)
}

/// Checks that the site saw this many requests, all on one connection.
fn check_one_connection(site: &Site, requests: u64) -> CheckResult {
    let seen = site.observed();
    check_eq("requests", seen.requests, requests)?;
    let is_single = seen.connections == 1;
    check(
        "one connection carried all requests",
        is_single,
        seen.connections,
    )
}
