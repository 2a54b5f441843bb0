//! HTTP/2, as the server sees it.

use fetch_all::Method;
use fetch_all::driver::Http2Mode;
use fetch_testbed::{Certificate, ScriptedHttp2, ScriptedReply, Site};

use crate::backend::{Client, Requests};
use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, Difference, collect, ends, fine, get, gets, holds, policy, same, until};

pub(crate) const GROUP: Group = Group {
    name: "HTTP/2",
    behaviours: behaviours![
        "it is spoken where TLS offers it" => alpn,
        "it can be switched off" => off,
        "a server without it is asked in HTTP/1.1" => without,
        "many requests at once share one connection" => shared,
        "no more at once than the server takes" => max_streams,
        "what GOAWAY leaves aside is sent again, a POST too" => go_away,
        "a refused stream is sent again, a POST too" => refused,
        "a dropped fetch leaves its connection to the others" => dropped,
    ],
};

fn site() -> std::io::Result<Site> {
    let site = Site::builder().tls(Certificate::Good).http2(true);
    site.start()
}

fn trusting(bench: &Bench, site: &Site, http2: Http2Mode) -> Result<Box<dyn Client>, Difference> {
    let ca = site.ca_pem().unwrap_or_default().as_bytes().to_vec();
    bench.client(|settings| {
        settings.tls.ca_certificates.push(ca);
        (settings.http2, settings.pool.max_connections) = (http2, Some(100));
    })
}

/// Which version of HTTP a fetch of `/get` came in.
async fn version(client: &dyn Client, site: &Site) -> Result<String, Difference> {
    let outcome = client.fetch(get(site.url("/get"))?).await;
    fine(&outcome)?;
    let version = outcome.response().map(|response| response.version);
    Ok(version.map_or_else(String::new, |version| format!("{version:?}")))
}

async fn alpn(bench: &Bench) -> Check {
    let site = site()?;
    let client = trusting(bench, &site, Http2Mode::Auto)?;
    same("version", version(&*client, &site).await?, "HTTP/2.0")
}

async fn off(bench: &Bench) -> Check {
    let site = site()?;
    let client = trusting(bench, &site, Http2Mode::Off)?;
    same("version", version(&*client, &site).await?, "HTTP/1.1")
}

async fn without(bench: &Bench) -> Check {
    let site = Site::builder().tls(Certificate::Good).start()?;
    let client = trusting(bench, &site, Http2Mode::Auto)?;
    same("version", version(&*client, &site).await?, "HTTP/1.1")
}

async fn shared(bench: &Bench) -> Check {
    let site = site()?;
    let client = trusting(bench, &site, Http2Mode::Auto)?;
    let urls: Vec<_> = (0..30).map(|n| site.url(&format!("/bytes/{n}"))).collect();
    let outcomes = collect(client.fetch_all(gets(urls.into_iter()))).await;
    outcomes.iter().try_for_each(fine)?;
    one(&site, 30)
}

async fn max_streams(bench: &Bench) -> Check {
    let site = Site::builder()
        .tls(Certificate::Good)
        .http2(true)
        .max_streams(3);
    let site = site.start()?;
    let ca = site.ca_pem().unwrap_or_default().as_bytes().to_vec();
    let client = bench.client(|settings| {
        settings.tls.ca_certificates.push(ca);
        settings.pool.max_connections = Some(1);
    })?;
    let urls: Vec<_> = (0..30).map(|_| site.url("/delay/0.02")).collect();
    for outcome in collect(client.fetch_all(gets(urls.into_iter()))).await {
        fine(&outcome)?;
    }
    let seen = site.observed();
    // Were one over the limit, the server would refuse it, and it would be asked for again.
    same(
        "requests and connections",
        (seen.requests, seen.connections),
        (30, 1),
    )?;
    same("at once", seen.max_in_flight, 3_u64)
}

/// POSTs to the server, all at once.
fn posts(server: &ScriptedHttp2, count: usize) -> Requests {
    let urls = (0..count).map(|n| server.url(&format!("/{n}")));
    let urls = urls.collect::<Vec<_>>().into_iter();
    Box::new(urls.map(|url| {
        let request = fetch_all::Request::new(Method::Post, url);
        request.expect("it is a URL").body("not to be sent twice")
    }))
}

fn knowing(bench: &Bench) -> Result<Box<dyn Client>, Difference> {
    bench.client(|settings| {
        settings.http2 = Http2Mode::PriorKnowledge;
        settings.update_config(|config| {
            config.rules(fetch_all::PolicyRules::from_policy(policy().attempts(3)))
        });
    })
}

async fn go_away(bench: &Bench) -> Check {
    // Of the first five requests the server takes three, and says so once it has them all.
    let server = ScriptedHttp2::start(100, |connection, request| match (connection, request) {
        (0, 4..) => ScriptedReply::GoAway,
        (0, 3) => ScriptedReply::Ignore,
        (0, _) => ScriptedReply::Delay,
        _ => ScriptedReply::Respond,
    })?;
    let outcomes = collect(knowing(bench)?.fetch_all(posts(&server, 5))).await;
    outcomes.iter().try_for_each(fine)?;
    let mut found: Vec<_> = outcomes.iter().map(ends).collect();
    found.sort();
    same(
        "attempts",
        found,
        ["200", "200", "200", "stale, 200", "stale, 200"],
    )?;
    same("connections", server.connections(), 2_usize)
}

async fn refused(bench: &Bench) -> Check {
    let server = ScriptedHttp2::start(100, |_, request| match request {
        0 => ScriptedReply::Refuse,
        _ => ScriptedReply::Respond,
    })?;
    let outcomes = collect(knowing(bench)?.fetch_all(posts(&server, 1))).await;
    let found: Vec<_> = outcomes.iter().map(ends).collect();
    same("attempts", found, ["stale, 200"])?;
    same("connections", server.connections(), 1_usize)
}

async fn dropped(bench: &Bench) -> Check {
    let site = site()?;
    let client = trusting(bench, &site, Http2Mode::Auto)?;
    fine(&client.fetch(get(site.url("/get"))?).await)?;
    let stalls = client.fetch(get(site.url("/stall"))?);
    let seen = until(&site, "the request", |seen| seen.in_flight == 1);
    crate::bench::drop_after(stalls, seen).await?;
    until(&site, "the reset", |seen| seen.cut_by_peer == 1).await?;
    fine(&client.fetch(get(site.url("/get"))?).await)?;
    one(&site, 3)
}

/// So many requests came, and one connection carried them.
fn one(site: &Site, requests: u64) -> Check {
    let seen = site.observed();
    same("requests", seen.requests, requests)?;
    let alone = seen.connections == 1;
    holds("one connection carried them", alone, seen.connections)
}
