//! Proxies, as they see it themselves.

use fetch_all::driver::{Proxy as At, ProxyRules};
use fetch_all::{Outcome, Settings};
use fetch_testbed::{Certificate, Proxy, Site};

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, Difference, end, fine, get, holds, refusing, same};

pub(crate) const GROUP: Group = Group {
    name: "Proxies",
    behaviours: behaviours![
        "an http URL is asked of an HTTP proxy whole" => whole,
        "an https URL goes through a tunnel" => tunnel,
        "user name and password are for the proxy only" => login,
        "a wrong password is told and not shown" => wrong_login,
        "a refused tunnel is no connection, and is told" => refuses,
        "the error says why a tunnel was refused" => refusal,
        "a proxy that does not listen is told" => absent,
        "SOCKS5 to names that the proxy looks up" => socks_remote,
        "SOCKS5 to names that are looked up here" => socks_local,
        "SOCKS5 with user name and password" => socks_login,
        "what SOCKS5 refuses is no connection" => socks_refuses,
        "NO_PROXY is reached directly" => no_proxy,
    ],
};

/// Sends all through the proxy at `url`.
fn through(settings: &mut Settings, url: &str) {
    settings.route.proxy = ProxyRules::new().all(At::parse(url).expect("it is a proxy's URL"));
}

/// Fetches `url` through the proxy at `proxy`, trusting the site.
async fn fetch(bench: &Bench, proxy: &str, site: &Site, url: &str) -> Result<Outcome, Difference> {
    let client = bench.client(|settings| {
        through(settings, proxy);
        let ca = site.ca_pem().map(|pem| pem.as_bytes().to_vec());
        settings.tls.ca_certificates.extend(ca);
        let port = site.address().port();
        let here = ("here.test".into(), port, vec![[127, 0, 0, 9].into()]);
        settings.route.resolve.push(here);
    });
    Ok(client?.fetch(get(url)?).await)
}

fn secure() -> std::io::Result<Site> {
    let builder = Site::builder().record(true);
    builder.tls(Certificate::Good).start()
}

/// It is a failure to connect whose text holds `words` and not the password.
fn told(outcome: &Outcome, words: &[&str]) -> Check {
    same(&outcome.to_string(), end(outcome), "connect")?;
    let error = outcome.error().expect("it is one");
    let text = format!("{error} {}", error.detail().unwrap_or_default());
    let said = words.iter().all(|word| text.contains(word));
    holds(&format!("{words:?} are said"), said, &text)?;
    holds("the password is not", !text.contains("hush"), &text)
}

async fn whole(bench: &Bench) -> Check {
    let (site, proxy) = (Site::start()?, Proxy::builder().start()?);
    let url = format!("http://far.test:{}/get?q=1", site.address().port());
    let client = bench.client(|settings| through(settings, &proxy.url("http://")))?;
    for _ in 0..3 {
        fine(&client.fetch(get(&*url)?).await)?;
    }
    let heads = proxy.heads();
    let asked = heads
        .iter()
        .filter(|head| head.starts_with(&format!("GET {url} HTTP/1.1\r\n")));
    same("asked whole", asked.count(), 3_usize)?;
    same("connections", proxy.connections(), 1_usize)
}

async fn tunnel(bench: &Bench) -> Check {
    let (site, proxy) = (secure()?, Proxy::builder().start()?);
    let outcome = fetch(bench, &proxy.url("http://"), &site, &site.url("/get")).await?;
    fine(&outcome)?;
    let heads = proxy.heads();
    let connect = format!("CONNECT {} HTTP/1.1\r\n", site.address());
    let asked = heads.len() == 1 && heads[0].starts_with(&connect);
    holds(
        "one CONNECT was asked for",
        asked,
        format_args!("{heads:?}"),
    )?;
    same("requests", site.observed().requests, 1_u64)
}

async fn login(bench: &Bench) -> Check {
    let (site, plain) = (secure()?, Site::builder().record(true).start()?);
    let proxy = Proxy::builder().login("me@home", "hu:sh").start()?;
    let at = proxy.url("http://me%40home:hu%3Ash@");
    for site in [&site, &plain] {
        fine(&fetch(bench, &at, site, &site.url("/headers")).await?)?;
        let seen = site.last_request("/headers").expect("it was answered");
        same("at the site", seen.header("proxy-authorization"), None)?;
    }
    Ok(())
}

async fn wrong_login(bench: &Bench) -> Check {
    let (site, proxy) = (secure()?, Proxy::builder().login("me", "right").start()?);
    let (wrong, none) = (proxy.url("http://me:hush@"), proxy.url("http://"));
    for at in [&wrong, &none] {
        let outcome = fetch(bench, at, &site, &site.url("/get")).await?;
        told(&outcome, &["through the proxy", &none])?;
        // To a plain URL, it is a response like any other.
        let plain = fetch(bench, at, &site, "http://far.test/").await?;
        same("end", end(&plain), "407")?;
    }
    same("requests", site.observed().requests, 0_u64)
}

async fn refuses(bench: &Bench) -> Check {
    let (site, proxy) = (secure()?, Proxy::builder().refuses(true).start()?);
    let outcome = fetch(bench, &proxy.url("http://"), &site, &site.url("/get")).await?;
    told(&outcome, &["through the proxy", &proxy.url("http://")])
}

async fn refusal(bench: &Bench) -> Check {
    let (site, proxy) = (secure()?, Proxy::builder().refuses(true).start()?);
    let outcome = fetch(bench, &proxy.url("http://"), &site, &site.url("/get")).await?;
    told(&outcome, &["403"])
}

async fn absent(bench: &Bench) -> Check {
    let site = secure()?;
    let (_taken, url) = refusing()?;
    let authority = url
        .trim_start_matches("http://")
        .trim_end_matches("/refused");
    for scheme in ["http://", "socks5h://"] {
        let at = format!("{scheme}me:hush@{authority}");
        let outcome = fetch(bench, &at, &site, &site.url("/get")).await?;
        told(&outcome, &["proxy", authority])?;
    }
    Ok(())
}

async fn socks_remote(bench: &Bench) -> Check {
    let (site, proxy) = (Site::start()?, Proxy::builder().start()?);
    let port = site.address().port();
    let url = format!("http://far.test:{port}/get");
    fine(&fetch(bench, &proxy.url("socks5h://"), &site, &url).await?)?;
    let asked = [&[5, 1, 0, 3, 8][..], b"far.test", &port.to_be_bytes()].concat();
    said(&proxy, &asked)?;
    let (site, proxy) = (secure()?, Proxy::builder().start()?);
    fine(&fetch(bench, &proxy.url("socks5h://"), &site, &site.url("/get")).await?)
}

async fn socks_local(bench: &Bench) -> Check {
    let (site, proxy) = (Site::start()?, Proxy::builder().start()?);
    let port = site.address().port();
    let url = format!("http://here.test:{port}/get");
    fine(&fetch(bench, &proxy.url("socks5://"), &site, &url).await?)?;
    let asked = [&[5, 1, 0, 1, 127, 0, 0, 9][..], &port.to_be_bytes()].concat();
    said(&proxy, &asked)
}

/// The one handshake ended in this request.
fn said(proxy: &Proxy, asked: &[u8]) -> Check {
    let handshakes = proxy.handshakes();
    let so = handshakes.len() == 1 && handshakes[0].ends_with(asked);
    holds(
        &format!("{asked:?} was asked"),
        so,
        format_args!("{handshakes:?}"),
    )
}

async fn socks_login(bench: &Bench) -> Check {
    let (site, proxy) = (
        Site::start()?,
        Proxy::builder().login("me", "hush").start()?,
    );
    let at = proxy.url("socks5h://me:hush@");
    fine(&fetch(bench, &at, &site, &site.url("/get")).await?)?;
    let wrong = proxy.url("socks5h://me:hushed@");
    told(
        &fetch(bench, &wrong, &site, &site.url("/get")).await?,
        &["proxy"],
    )
}

async fn socks_refuses(bench: &Bench) -> Check {
    let (site, proxy) = (Site::start()?, Proxy::builder().refuses(true).start()?);
    let outcome = fetch(bench, &proxy.url("socks5h://"), &site, &site.url("/get")).await?;
    told(&outcome, &["through the proxy", &proxy.url("socks5h://")])?;
    same("requests", site.observed().requests, 0_u64)
}

async fn no_proxy(bench: &Bench) -> Check {
    let (site, proxy) = (Site::start()?, Proxy::builder().start()?);
    let client = bench.client(|settings| {
        through(settings, &proxy.url("http://"));
        let rules = settings
            .route
            .proxy
            .clone()
            .no_proxy("127.0.0.0/8,.near.test");
        settings.route.proxy = rules.expect("it is a list of hosts");
    })?;
    fine(&client.fetch(get(site.url("/get"))?).await)?;
    same("connections to the proxy", proxy.connections(), 0_usize)?;
    let url = format!("http://far.test:{}/get", site.address().port());
    fine(&client.fetch(get(url)?).await)?;
    same("connections to the proxy", proxy.connections(), 1_usize)
}
