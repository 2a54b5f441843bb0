//! Proxies, as the proxy sees the requests.

use fetch_all::driver::{Proxy as ProxySetting, ProxyRules};
use fetch_all::{Outcome, Settings};
use fetch_testbed::{Certificate, Proxy, Site};

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    Mismatch, TestContext, check, check_eq, check_ok, get_request, outcome_label, refused_url,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Proxies",
    behaviours: behaviours![
        "an http URL is sent to an HTTP proxy in absolute form" => http_url_in_absolute_form,
        "an https URL goes through a CONNECT tunnel" => https_url_through_tunnel,
        "credentials are sent to the proxy only" => credentials_go_to_proxy_only,
        "a wrong password is reported and not shown" => wrong_password_is_reported,
        "a refused tunnel is a connect error" => refused_tunnel_is_connect_error,
        "the error says why a tunnel was refused" => refusal_reason_is_reported,
        "an unreachable proxy is reported" => unreachable_proxy_is_reported,
        "SOCKS5, names resolved by the proxy" => socks_resolves_remotely,
        "SOCKS5, names resolved locally" => socks_resolves_locally,
        "SOCKS5 with user name and password" => socks_credentials_are_sent,
        "a SOCKS5 refusal is a connect error" => socks_refusal_is_connect_error,
        "NO_PROXY hosts are reached directly" => no_proxy_hosts_are_direct,
    ],
};

/// Routes all requests through the proxy at `url`.
fn route_through(settings: &mut Settings, url: &str) {
    settings.route.proxy =
        ProxyRules::new().all(ProxySetting::parse(url).expect("the proxy URL is valid"));
}

/// Fetches `url` through the proxy at `proxy`, trusting the site.
async fn fetch_through(
    context: &TestContext,
    proxy: &str,
    site: &Site,
    url: &str,
) -> Result<Outcome, Mismatch> {
    let fetcher = context.fetcher(|settings| {
        route_through(settings, proxy);
        let ca = site.ca_pem().map(|pem| pem.as_bytes().to_vec());
        settings.tls.ca_certificates.extend(ca);
        let port = site.address().port();
        let here = ("here.test".into(), port, vec![[127, 0, 0, 9].into()]);
        settings.route.resolve.push(here);
    });
    Ok(fetcher?.fetch(get_request(url)?).await)
}

fn start_tls_site() -> std::io::Result<Site> {
    let builder = Site::builder().record(true);
    builder.tls(Certificate::Good).start()
}

/// Checks that the fetch failed to connect, with an error that contains `words` and not the
/// password.
fn check_proxy_error(outcome: &Outcome, words: &[&str]) -> CheckResult {
    // curl does not distinguish a refusal of the proxy.
    let label = outcome_label(outcome);
    let is_proxy_error = label == "connect" || label == "proxy_refused";
    check("it is an error of the proxy", is_proxy_error, &label)?;
    let error = outcome.error().expect("the fetch failed");
    let text = format!("{error} {}", error.detail().unwrap_or_default());
    let contained = words.iter().all(|word| text.contains(word));
    check(&format!("the error contains {words:?}"), contained, &text)?;
    check(
        "the error does not contain the password",
        !text.contains("hush"),
        &text,
    )
}

async fn http_url_in_absolute_form(context: &TestContext) -> CheckResult {
    let (site, proxy) = (Site::start()?, Proxy::builder().start()?);
    let url = format!("http://far.test:{}/get?q=1", site.address().port());
    let fetcher = context.fetcher(|settings| route_through(settings, &proxy.url("http://")))?;
    for _ in 0..3 {
        check_ok(&fetcher.fetch(get_request(&*url)?).await)?;
    }
    let heads = proxy.heads();
    let asked = heads
        .iter()
        .filter(|head| head.starts_with(&format!("GET {url} HTTP/1.1\r\n")));
    check_eq("requests in absolute form", asked.count(), 3_usize)?;
    check_eq("connections", proxy.connections(), 1_usize)
}

async fn https_url_through_tunnel(context: &TestContext) -> CheckResult {
    let (site, proxy) = (start_tls_site()?, Proxy::builder().start()?);
    let outcome = fetch_through(context, &proxy.url("http://"), &site, &site.url("/get")).await?;
    check_ok(&outcome)?;
    let heads = proxy.heads();
    let connect = format!("CONNECT {} HTTP/1.1\r\n", site.address());
    let asked = heads.len() == 1 && heads[0].starts_with(&connect);
    check(
        "the proxy received one CONNECT",
        asked,
        format_args!("{heads:?}"),
    )?;
    check_eq("requests", site.observed().requests, 1_u64)
}

async fn credentials_go_to_proxy_only(context: &TestContext) -> CheckResult {
    let (site, plain) = (start_tls_site()?, Site::builder().record(true).start()?);
    let proxy = Proxy::builder().login("me@home", "hu:sh").start()?;
    let at = proxy.url("http://me%40home:hu%3Ash@");
    for site in [&site, &plain] {
        check_ok(&fetch_through(context, &at, site, &site.url("/headers")).await?)?;
        let seen = site
            .last_request("/headers")
            .expect("the request was recorded");
        check_eq("at the site", seen.header("proxy-authorization"), None)?;
    }
    Ok(())
}

async fn wrong_password_is_reported(context: &TestContext) -> CheckResult {
    let (site, proxy) = (
        start_tls_site()?,
        Proxy::builder().login("me", "right").start()?,
    );
    let (wrong, none) = (proxy.url("http://me:hush@"), proxy.url("http://"));
    for at in [&wrong, &none] {
        let outcome = fetch_through(context, at, &site, &site.url("/get")).await?;
        check_proxy_error(&outcome, &["through the proxy", &none])?;
        // For an http URL, the proxy's refusal is a response like any other.
        let plain = fetch_through(context, at, &site, "http://far.test/").await?;
        check_eq("end", outcome_label(&plain), "407")?;
    }
    check_eq("requests", site.observed().requests, 0_u64)
}

async fn refused_tunnel_is_connect_error(context: &TestContext) -> CheckResult {
    let (site, proxy) = (start_tls_site()?, Proxy::builder().refuses(true).start()?);
    let outcome = fetch_through(context, &proxy.url("http://"), &site, &site.url("/get")).await?;
    check_proxy_error(&outcome, &["through the proxy", &proxy.url("http://")])
}

async fn refusal_reason_is_reported(context: &TestContext) -> CheckResult {
    let (site, proxy) = (start_tls_site()?, Proxy::builder().refuses(true).start()?);
    let outcome = fetch_through(context, &proxy.url("http://"), &site, &site.url("/get")).await?;
    // A port may contain the digits 403, but it does not follow a space.
    check_proxy_error(&outcome, &[" 403"])
}

async fn unreachable_proxy_is_reported(context: &TestContext) -> CheckResult {
    let site = start_tls_site()?;
    let (_taken, url) = refused_url()?;
    let authority = url
        .trim_start_matches("http://")
        .trim_end_matches("/refused");
    for scheme in ["http://", "socks5h://"] {
        let at = format!("{scheme}me:hush@{authority}");
        let outcome = fetch_through(context, &at, &site, &site.url("/get")).await?;
        check_proxy_error(&outcome, &["proxy", authority])?;
    }
    Ok(())
}

async fn socks_resolves_remotely(context: &TestContext) -> CheckResult {
    let (site, proxy) = (Site::start()?, Proxy::builder().start()?);
    let port = site.address().port();
    let url = format!("http://far.test:{port}/get");
    check_ok(&fetch_through(context, &proxy.url("socks5h://"), &site, &url).await?)?;
    let asked = [&[5, 1, 0, 3, 8][..], b"far.test", &port.to_be_bytes()].concat();
    check_socks_request(&proxy, &asked)?;
    let (site, proxy) = (start_tls_site()?, Proxy::builder().start()?);
    check_ok(&fetch_through(context, &proxy.url("socks5h://"), &site, &site.url("/get")).await?)
}

async fn socks_resolves_locally(context: &TestContext) -> CheckResult {
    let (site, proxy) = (Site::start()?, Proxy::builder().start()?);
    let port = site.address().port();
    let url = format!("http://here.test:{port}/get");
    check_ok(&fetch_through(context, &proxy.url("socks5://"), &site, &url).await?)?;
    let asked = [&[5, 1, 0, 1, 127, 0, 0, 9][..], &port.to_be_bytes()].concat();
    check_socks_request(&proxy, &asked)
}

/// Checks that there was one SOCKS handshake and that it ended with this request.
fn check_socks_request(proxy: &Proxy, asked: &[u8]) -> CheckResult {
    let handshakes = proxy.handshakes();
    let is_same = handshakes.len() == 1 && handshakes[0].ends_with(asked);
    check(
        &format!("the proxy received {asked:?}"),
        is_same,
        format_args!("{handshakes:?}"),
    )
}

async fn socks_credentials_are_sent(context: &TestContext) -> CheckResult {
    let (site, proxy) = (
        Site::start()?,
        Proxy::builder().login("me", "hush").start()?,
    );
    let at = proxy.url("socks5h://me:hush@");
    check_ok(&fetch_through(context, &at, &site, &site.url("/get")).await?)?;
    let wrong = proxy.url("socks5h://me:hushed@");
    check_proxy_error(
        &fetch_through(context, &wrong, &site, &site.url("/get")).await?,
        &["proxy"],
    )
}

async fn socks_refusal_is_connect_error(context: &TestContext) -> CheckResult {
    let (site, proxy) = (Site::start()?, Proxy::builder().refuses(true).start()?);
    let outcome =
        fetch_through(context, &proxy.url("socks5h://"), &site, &site.url("/get")).await?;
    check_proxy_error(&outcome, &["through the proxy", &proxy.url("socks5h://")])?;
    check_eq("requests", site.observed().requests, 0_u64)
}

async fn no_proxy_hosts_are_direct(context: &TestContext) -> CheckResult {
    let (site, proxy) = (Site::start()?, Proxy::builder().start()?);
    let fetcher = context.fetcher(|settings| {
        route_through(settings, &proxy.url("http://"));
        let rules = settings
            .route
            .proxy
            .clone()
            .no_proxy("127.0.0.0/8,.near.test");
        settings.route.proxy = rules.expect("the list is valid");
    })?;
    check_ok(&fetcher.fetch(get_request(site.url("/get"))?).await)?;
    check_eq("connections to the proxy", proxy.connections(), 0_usize)?;
    let url = format!("http://far.test:{}/get", site.address().port());
    check_ok(&fetcher.fetch(get_request(url)?).await)?;
    check_eq("connections to the proxy", proxy.connections(), 1_usize)
}
