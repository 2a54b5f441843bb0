//! Requests that succeed.

use bytes::Bytes;
use fetch_all::Request;
use fetch_testbed::Site;

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, collect, end, ends, fine, get, gets, holds, policy, request, same};

pub(crate) const GROUP: Group = Group {
    name: "Answers",
    behaviours: behaviours![
        "GET" => plain_get,
        "any status is a response" => statuses,
        "so is one that nobody registered" => unregistered,
        "HEAD" => head,
        "POST and PUT with a body" => bodies,
        "a body sent as it comes" => streamed_upload,
        "basic auth from the URL" => basic_auth,
        "header fields, and one User-Agent" => fields,
        "gzip, brotli and zstd are decoded" => codings,
        "decoding can be switched off" => undecoded,
        "a gzip bomb costs no more than the limit" => bomb,
        "what is no URL is an outcome" => invalid,
    ],
};

async fn plain_get(bench: &Bench) -> Check {
    let site = Site::start()?;
    let outcome = bench
        .client(|_| {})?
        .fetch(get(site.url("/get?a=b"))?)
        .await;
    fine(&outcome)?;
    let response = outcome.response().expect("it is fine");
    let text = String::from_utf8_lossy(&response.body);
    let shown = format!("\"url\":\"{}\"", site.url("/get?a=b"));
    holds("the body is what was sent", text.contains(&shown), &text)?;
    same(
        "type",
        &response.headers["content-type"],
        "application/json",
    )?;
    same("bytes", response.bytes, outcome.wire_bytes)
}

async fn statuses(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.with(policy().attempts(1))?;
    for status in [200, 201, 204, 304, 400, 404, 418, 500, 503] {
        let outcome = client
            .fetch(get(site.url(&format!("/status/{status}")))?)
            .await;
        same("end", end(&outcome), status.to_string())?;
        same("success", outcome.is_success(), status < 300)?;
    }
    Ok(())
}

async fn unregistered(bench: &Bench) -> Check {
    let site = Site::start()?;
    let outcome = bench
        .client(|_| {})?
        .fetch(get(site.url("/status/599"))?)
        .await;
    same("end", end(&outcome), "599")
}

async fn head(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    for _ in 0..2 {
        let outcome = client
            .fetch(request("HEAD", site.url("/bytes/1000"))?)
            .await;
        fine(&outcome)?;
        let response = outcome.response().expect("it is fine");
        same("length", &response.headers["content-length"], "1000")?;
        same("body", response.body.len(), 0_usize)?;
    }
    let after = client.fetch(get(site.url("/bytes/7"))?).await;
    same(
        "bytes after it",
        after.response().map(|response| response.bytes),
        Some(7),
    )?;
    same("connections", site.observed().connections, 1_u64)
}

async fn bodies(bench: &Bench) -> Check {
    let site = Site::builder().record(true).start()?;
    let client = bench.client(|_| {})?;
    for method in ["POST", "PUT", "PATCH"] {
        for length in [0, 5, 100_000] {
            let path = format!("/anything/{method}/{length}");
            let body = Bytes::from(vec![b'a'; length]);
            let upload = request(method, site.url(&path))?.body(body.clone());
            let upload = upload.header("content-type", "text/plain")?;
            fine(&client.fetch(upload).await)?;
            let seen = site.last_request(&path).expect("it was answered");
            let what = |field| format!("{field} of {path}");
            same(&what("method"), seen.method.as_str(), method)?;
            same(
                &what("type"),
                seen.header("content-type"),
                Some("text/plain"),
            )?;
            let said = length.to_string();
            same(
                &what("length"),
                seen.header("content-length"),
                Some(said.as_str()),
            )?;
            let kept = body.slice(..length.min(16 * 1024));
            holds("the body came", seen.body == kept, what("body"))?;
        }
    }
    Ok(())
}

async fn streamed_upload(bench: &Bench) -> Check {
    let site = Site::builder().record(true).start()?;
    let client = bench.client(|_| {})?;
    for (path, length) in [
        ("/anything/unknown", None),
        ("/anything/known", Some(9_000)),
    ] {
        let chunks = (0..9).map(|_| Ok(Bytes::from_static(&[b'x'; 1_000])));
        let chunks = Box::pin(smol::stream::iter(chunks));
        let upload = request("PUT", site.url(path))?.body_stream(length, chunks);
        fine(&client.fetch(upload).await)?;
        let seen = site.last_request(path).expect("it was answered");
        same("bytes", seen.body.len(), 9_000_usize)?;
        let said = length.map(|length: u64| length.to_string());
        same("length", seen.header("content-length"), said.as_deref())?;
    }
    Ok(())
}

async fn basic_auth(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    let url = site.url("/basic-auth/me@home/pa:ss");
    let known = url.replacen("://", "://me%40home:pa%3Ass@", 1);
    let outcome = client.fetch(get(known)?).await;
    fine(&outcome)?;
    holds(
        "no secret is shown",
        !outcome.to_string().contains("pa%3Ass"),
        &outcome,
    )?;
    let wrong = url.replacen("://", "://me:wrong@", 1);
    same("end", end(&client.fetch(get(wrong)?).await), "401")
}

async fn fields(bench: &Bench) -> Check {
    let site = Site::builder().record(true).start()?;
    let client = bench.client(|_| {})?;
    let request = get(site.url("/headers"))?
        .header("x-a", "1")?
        .header("x-a", "2")?;
    fine(&client.fetch(request).await)?;
    let seen = site.last_request("/headers").expect("it was answered");
    let all = |name: &str| {
        let found = seen.headers.iter().filter(|(each, _)| each == name);
        found
            .map(|(_, value)| value.clone())
            .collect::<Vec<_>>()
            .join(", ")
    };
    same("x-a", all("x-a"), "1, 2")?;
    same(
        "user-agent",
        all("user-agent"),
        concat!("fetch-all/", env!("CARGO_PKG_VERSION")),
    )?;
    same("host", all("host"), site.address().to_string())?;
    same("accept", all("accept"), "*/*")
}

async fn codings(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.client(|_| {})?;
    for path in ["/gzip", "/brotli", "/zstd", "/deflate"] {
        let outcome = client.fetch(get(site.url(path))?).await;
        fine(&outcome)?;
        let response = outcome.response().expect("it is fine");
        holds(path, response.body.starts_with(b"{\"method\""), &outcome)?;
        let left = response.headers.get("content-encoding");
        same("the coding that is left", left, None)?;
        holds(
            "the size on the wire is kept",
            outcome.wire_bytes != response.bytes,
            path,
        )?;
    }
    Ok(())
}

async fn undecoded(bench: &Bench) -> Check {
    let site = Site::builder().record(true).start()?;
    let client = bench.client(|settings| settings.decode = false)?;
    let outcome = client.fetch(get(site.url("/gzip"))?).await;
    fine(&outcome)?;
    let response = outcome.response().expect("it is fine");
    holds(
        "the body is as sent",
        response.body.starts_with(&[0x1f, 0x8b]),
        &outcome,
    )?;
    same("coding", &response.headers["content-encoding"], "gzip")?;
    let seen = site.last_request("/gzip").expect("it was answered");
    same("accept-encoding", seen.header("accept-encoding"), None)
}

async fn bomb(bench: &Bench) -> Check {
    let site = Site::start()?;
    let client = bench.with(policy().max_body(1 << 20))?;
    let outcome = client.fetch(get(site.url("/gzip-bomb/64"))?).await;
    same("end", end(&outcome), "too_large")?;
    same("attempts", ends(&outcome), "BodyTooLarge")
}

async fn invalid(bench: &Bench) -> Check {
    let site = Site::start()?;
    let urls = vec!["nonsense".into(), "ftp://a.test/".into(), site.url("/get")];
    let outcomes = collect((bench.backend.short_form)(urls)).await;
    let ends: Vec<_> = outcomes.iter().map(end).collect();
    same("ends", ends, ["invalid_url", "invalid_url", "200"])?;
    let client = bench.client(|_| {})?;
    same(
        "none",
        collect(client.fetch_all(gets(std::iter::empty())))
            .await
            .len(),
        0_usize,
    )?;
    holds("it is refused", Request::get("http://").is_err(), "http://")
}
