//! RedirectPolicy, as the servers at both ends see them.

use fetch_all::RedirectPolicy;
use fetch_testbed::{Certificate, Site};

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, end, ends, fine, get, holds, policy, request, same};

pub(crate) const GROUP: Group = Group {
    name: "RedirectPolicy",
    behaviours: behaviours![
        "301, 302, 303, 307, 308 with GET, POST, PUT, HEAD" => methods,
        "credentials stay with their origin" => credentials,
        "https does not lead to http" => downgrade,
        "http may lead to https" => upgrade,
        "a loop ends" => endless,
        "too many" => too_many,
        "they can be left to the caller" => left,
        "the other host has its own connection" => other_host,
    ],
};

async fn methods(bench: &Bench) -> Check {
    let site = Site::builder().record(true).start()?;
    let client = bench.client(|_| {})?;
    for status in [301, 302, 303, 307, 308] {
        for method in ["GET", "POST", "PUT", "HEAD"] {
            let target = format!("/anything/{status}/{method}");
            let url = site.url(&format!("/redirect-to?url={target}&status={status}"));
            let mut request = request(method, url)?;
            let has_body = matches!(method, "POST" | "PUT");
            if has_body {
                request = request.header("content-type", "text/plain")?.body("a=b");
            }
            let outcome = client.fetch(request).await;
            fine(&outcome)?;
            same("redirects", outcome.redirects, 1_u16)?;
            let becomes_get = match status {
                303 => has_body,
                301 | 302 => method == "POST",
                _ => false,
            };
            let seen = site.last_request(&target).expect("it was answered");
            let wanted = if becomes_get { "GET" } else { method };
            same(&target, seen.method.as_str(), wanted)?;
            let body: &[u8] = if has_body && !becomes_get {
                b"a=b"
            } else {
                b""
            };
            same(&format!("body of {target}"), seen.body.as_slice(), body)?;
            let kind = seen.header("content-type").is_some();
            same(&format!("type of {target}"), kind, !body.is_empty())?;
            let url = &outcome.response().expect("it is fine").url;
            same("the response's URL", url.path(), target.as_str())?;
        }
    }
    Ok(())
}

async fn credentials(bench: &Bench) -> Check {
    let elsewhere = Site::builder().record(true).start()?;
    let site = Site::builder().record(true).start()?;
    let client = bench.client(|_| {})?;
    for (target, kept) in [
        (elsewhere.url("/anything"), false),
        (site.url("/anything"), true),
    ] {
        let url = site.url(&format!("/redirect-to?url={target}"));
        let url = url.replacen("://", "://user:secret@", 1);
        let request = get(url)?.header("cookie", "a=b")?.header("x-plain", "1")?;
        fine(&client.fetch(request).await)?;
        let there = if kept { &site } else { &elsewhere };
        let seen = there.last_request("/anything").expect("it was answered");
        same(
            "authorization",
            seen.header("authorization").is_some(),
            kept,
        )?;
        same("cookie", seen.header("cookie").is_some(), kept)?;
        same("x-plain", seen.header("x-plain"), Some("1"))?;
    }
    Ok(())
}

async fn downgrade(bench: &Bench) -> Check {
    let plain = Site::start()?;
    let site = Site::builder().tls(Certificate::Good).start()?;
    let client = bench.client(|settings| settings.tls.insecure = true)?;
    let url = site.url(&format!("/redirect-to?url={}", plain.url("/get")));
    let outcome = client.fetch(get(url)?).await;
    same("end", end(&outcome), "redirect")?;
    let text = outcome.to_string();
    holds("the error says so", text.contains("https to http"), &text)?;
    same("requests in the clear", plain.observed().requests, 0_u64)
}

async fn upgrade(bench: &Bench) -> Check {
    let site = Site::start()?;
    let secure = Site::builder().tls(Certificate::Good).start()?;
    let client = bench.client(|settings| settings.tls.insecure = true)?;
    let url = site.url(&format!(
        "/redirect-to?url={}&status=308",
        secure.url("/get")
    ));
    fine(&client.fetch(get(url)?).await)
}

async fn endless(bench: &Bench) -> Check {
    let site = Site::start()?;
    let outcome = bench
        .client(|_| {})?
        .fetch(get(site.url("/redirect-loop"))?)
        .await;
    same("end", end(&outcome), "redirect")?;
    same("redirects", outcome.redirects, 10_u16)?;
    same("requests", site.observed().requests, 11_u64)
}

async fn too_many(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.with(policy().redirects(RedirectPolicy::limit(3)))?;
    let allowed = client.fetch(get(site.url("/redirect/3"))?).await;
    same("three", ends(&allowed), "302, 302, 302, 200")?;
    let outcome = client.fetch(get(site.url("/redirect/4"))?).await;
    same("four", end(&outcome), "redirect")
}

async fn left(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.with(policy().redirects(RedirectPolicy::NONE))?;
    let outcome = client.fetch(get(site.url("/redirect/2?status=307"))?).await;
    same("end", end(&outcome), "307")?;
    let response = outcome.response().expect("it is one");
    holds(
        "it says whereto",
        response.headers.contains_key("location"),
        &outcome,
    )?;
    same("requests", site.observed().requests, 1_u64)
}

async fn other_host(bench: &Bench) -> Check {
    let site = Site::builder().addresses(2).start()?;
    let client = bench.client(|_| {})?;
    for _ in 0..5 {
        let target = site.url_at(1, "/get");
        let url = site.url(&format!("/redirect-to?url={target}"));
        fine(&client.fetch(get(url)?).await)?;
    }
    same("connections", site.observed().connections, 2_u64)
}
