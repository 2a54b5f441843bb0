//! The endpoints of a site: the list, and the function that answers a request.

pub(crate) mod body;
mod faults;
pub(crate) mod request;
pub(crate) mod responses;

use std::fmt::Write;
use std::time::Duration;

use hyper::Response;
use hyper::header::{CONNECTION, CONTENT_ENCODING, HeaderValue, SET_COOKIE};

use self::body::{GeneratedBody, GzipBomb, ResponseBody};
use self::request::{EndpointError, EndpointRequest, check_status, parse_seconds};
use self::responses::{EndpointResult, content};
use crate::connection::stream::BreakMode;

pub use self::body::byte_at;
pub use self::faults::Fault;

/// The announced length of a body that is cut short, and the length of the part that is sent.
const ANNOUNCED_LEN: u64 = 4_096;
const SENT_LEN: u64 = 1_024;
const MAX_REDIRECTS: u32 = 100_000;

/// An endpoint of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// Path. Words in capitals stand for values.
    pub path: &'static str,
    /// Description in one line.
    pub about: &'static str,
    /// Example path and query.
    pub example: &'static str,
}

const fn endpoint(path: &'static str, example: &'static str, about: &'static str) -> Endpoint {
    Endpoint {
        path,
        about,
        example,
    }
}

/// All endpoints, as listed at `/`.
pub const ENDPOINTS: &[Endpoint] = &[
    endpoint("/", "/", "this list"),
    endpoint(
        "/get",
        "/get",
        "the request as JSON: method, url, headers, body",
    ),
    endpoint(
        "/anything",
        "/anything/at/all",
        "the same for any path below",
    ),
    endpoint("/headers", "/headers", "the request's headers as JSON"),
    endpoint("/status/N", "/status/404", "the status N, 200 to 999"),
    endpoint(
        "/delay/SECONDS",
        "/delay/0.5",
        "the request as JSON after a wait",
    ),
    endpoint("/bytes/N", "/bytes/1024", "N bytes, of known length"),
    endpoint(
        "/stream-bytes/N?chunk=",
        "/stream-bytes/9000?chunk=1000",
        "N bytes, of unknown length",
    ),
    endpoint(
        "/slow-body?chunks=&interval=",
        "/slow-body?chunks=3&interval=0.2",
        "10-byte chunks, each after a wait",
    ),
    endpoint(
        "/drip?bytes=&duration=",
        "/drip?bytes=20&duration=1",
        "a body of known length, spread over a time",
    ),
    endpoint("/endless", "/endless", "an endless body"),
    endpoint(
        "/flaky/N?key=K",
        "/flaky/2?key=a",
        "503 to the first N requests per key, then 200",
    ),
    endpoint(
        "/retry-after/SECONDS?key=K&status=&form=",
        "/retry-after/1?key=a&status=429&form=date",
        "the status (503) with Retry-After once per key, then 200",
    ),
    endpoint(
        "/slow-once/SECONDS?key=K",
        "/slow-once/0.2?key=a",
        "200, the first time per key after a wait",
    ),
    endpoint(
        "/rate-limit/SECONDS?key=K",
        "/rate-limit/1?key=a",
        "200, once per key with a RateLimit field that asks to wait",
    ),
    endpoint(
        "/redirect/N?status=",
        "/redirect/3",
        "N relative redirects, then /get",
    ),
    endpoint(
        "/redirect-to?url=U&status=&delay=",
        "/redirect-to?url=/get&status=307",
        "a redirect to U, after a wait",
    ),
    endpoint("/redirect-loop", "/redirect-loop", "a redirect to itself"),
    endpoint(
        "/robots.txt",
        "/robots.txt",
        "the configured robots.txt; allows everything by default",
    ),
    endpoint("/gzip", "/gzip", "the request as JSON, in gzip"),
    endpoint(
        "/deflate",
        "/deflate",
        "the request as JSON, in deflate (zlib)",
    ),
    endpoint("/brotli", "/brotli", "the request as JSON, in Brotli"),
    endpoint("/zstd", "/zstd", "the request as JSON, in Zstandard"),
    endpoint(
        "/gzip-bomb/MIB",
        "/gzip-bomb/10",
        "a small gzip body that inflates to MIB mebibytes",
    ),
    endpoint(
        "/head-flood?bytes=",
        "/head-flood?bytes=100000",
        "a header section of at least this many bytes (1 MiB)",
    ),
    endpoint(
        "/basic-auth/USER/PASS",
        "/basic-auth/me/secret",
        "200 to these credentials, else 401",
    ),
    endpoint(
        "/bearer/TOKEN",
        "/bearer/t0k3n",
        "200 to this bearer token, else 401",
    ),
    endpoint(
        "/set-cookie?c=COOKIE&to=URL",
        "/set-cookie?c=a%3D1%3B%20Path%3D/",
        "200, or a redirect, with Set-Cookie",
    ),
    endpoint(
        "/cache/SECONDS",
        "/cache/60",
        "the request as JSON, fresh for some time, with an ETag; 304 to a match",
    ),
    endpoint("/close", "/close", "200 with Connection: close"),
    endpoint("/stall", "/stall", "no response, ever"),
    endpoint(
        "/stall-body",
        "/stall-body",
        "1,024 bytes of 4,096, then nothing",
    ),
    endpoint("/reset", "/reset", "a reset (RST) instead of a response"),
    endpoint(
        "/reset-body",
        "/reset-body",
        "1,024 bytes of 4,096, then a reset",
    ),
    endpoint(
        "/truncate",
        "/truncate",
        "1,024 bytes of 4,096, then the end of the connection",
    ),
    endpoint(
        "/empty-reply",
        "/empty-reply",
        "the end of the connection instead of a response",
    ),
    endpoint("/garbage", "/garbage", "bytes that are not HTTP"),
    endpoint(
        "/fault?percent=P&seed=S&n=N",
        "/fault?percent=10&seed=1&n=10",
        "P percent of all n fail once (reset, stall or 503), then 200 with 1 KiB",
    ),
    endpoint(
        "/mixed/N?seed=S",
        "/mixed/5",
        "a page as of a real site: some are slow, moved, missing or flaky",
    ),
];

/// Answers a request.
pub(crate) async fn answer(request: &EndpointRequest) -> EndpointResult {
    let reply = match request.split_path().0 {
        "" => index(),
        "get" | "anything" => responses::echo(request),
        "headers" => responses::headers(request),
        "status" => responses::status(check_status(request.path_argument("a status")?)?),
        "delay" => return delay(request).await,
        "bytes" => content(ResponseBody::generated(
            request.path_argument("a number of bytes")?,
        )),
        "stream-bytes" => stream_bytes(request)?,
        "slow-body" => slow_body(request)?,
        "drip" => drip(request)?,
        "endless" => content(GeneratedBody::new(u64::MAX)),
        "flaky" => faults::flaky(request)?,
        "retry-after" => faults::retry_after(request)?,
        "slow-once" => faults::slow_once(request).await?,
        "rate-limit" => faults::rate_limit(request)?,
        "redirect" => redirect(request)?,
        "redirect-to" => redirect_to(request).await?,
        "redirect-loop" => responses::redirect(302, "/redirect-loop")?,
        "robots.txt" => robots_txt(request),
        "gzip" => responses::compressed(request, "gzip"),
        "deflate" => responses::compressed(request, "deflate"),
        "brotli" => responses::compressed(request, "br"),
        "zstd" => responses::compressed(request, "zstd"),
        "gzip-bomb" => gzip_bomb(request)?,
        "head-flood" => responses::head_flood(request.query_value("bytes", 1 << 20)?)?,
        "basic-auth" => responses::basic_auth(request)?,
        "bearer" => responses::bearer(request),
        "set-cookie" => set_cookie(request)?,
        "cache" => responses::cacheable(request, request.path_argument("a number of seconds")?),
        "close" => close_connection(),
        "fault" => return faults::fault(request).await,
        "mixed" => return faults::mixed(request).await,
        name => return answer_broken(request, name).await,
    };
    Ok(reply)
}

/// Answers requests to the endpoints that break the connection or never end.
async fn answer_broken(request: &EndpointRequest, name: &str) -> EndpointResult {
    let control = &request.connection.control;
    let partial_body = || GeneratedBody::new(SENT_LEN).with_length(ANNOUNCED_LEN);
    match name {
        "stall" => std::future::pending().await,
        "stall-body" => Ok(content(partial_body().then_stall())),
        "reset" => faults::break_connection(request, BreakMode::Reset),
        "reset-body" => Ok(content(
            partial_body().then_break(control, BreakMode::Reset),
        )),
        "truncate" => Ok(content(partial_body().then_break(control, BreakMode::Fin))),
        "empty-reply" => faults::break_connection(request, BreakMode::Fin),
        "garbage" => {
            control.send_garbage();
            Ok(responses::status(200))
        }
        _ => Ok(responses::text(404, "no such endpoint; / lists them\n")),
    }
}

fn robots_txt(request: &EndpointRequest) -> Response<ResponseBody> {
    match &request.connection.state.robots {
        Some((status, text)) => responses::text(*status, text.clone()),
        None => responses::text(200, "User-agent: *\nAllow: /\n"),
    }
}

fn index() -> Response<ResponseBody> {
    let mut page = String::new();
    for endpoint in ENDPOINTS {
        let _ = writeln!(page, "{:42} {}", endpoint.path, endpoint.about);
    }
    responses::text(200, page)
}

async fn delay(request: &EndpointRequest) -> EndpointResult {
    tokio::time::sleep(parse_seconds(
        request.path_argument("a number of seconds")?,
    )?)
    .await;
    Ok(responses::echo(request))
}

fn stream_bytes(request: &EndpointRequest) -> EndpointResult {
    let length = request.path_argument("a number of bytes")?;
    Ok(content(
        GeneratedBody::new(length).with_chunk_len(request.query_value("chunk", 1_024)?),
    ))
}

fn slow_body(request: &EndpointRequest) -> EndpointResult {
    const CHUNK: u64 = 10;
    let chunks: u32 = request.query_value("chunks", 10)?;
    let interval = request.query_seconds("interval", 0.1)?;
    Ok(content(
        GeneratedBody::new(u64::from(chunks) * CHUNK)
            .with_chunk_len(CHUNK)
            .with_interval(interval),
    ))
}

fn drip(request: &EndpointRequest) -> EndpointResult {
    let length: u64 = request.query_value("bytes", 10)?;
    let duration = request.query_seconds("duration", 1.0)?;
    // Timers have millisecond resolution: steps shorter than 10 ms would make the whole body late.
    let steps = (duration.as_millis() as u64 / 10).clamp(1, length.max(1));
    let chunk = length.div_ceil(steps).max(1);
    let interval = duration.div_f64(length.div_ceil(chunk).max(1) as f64);
    let body = GeneratedBody::new(length)
        .with_length(length)
        .with_chunk_len(chunk);
    Ok(content(
        body.with_interval(interval.max(Duration::from_millis(1))),
    ))
}

fn redirect(request: &EndpointRequest) -> EndpointResult {
    let left: u32 = request.path_argument("a number of redirects")?;
    if left > MAX_REDIRECTS {
        return Err(EndpointError::BadRequest(format!(
            "at most {MAX_REDIRECTS} redirects"
        )));
    }
    let status = request.query_status(302)?;
    let query = request
        .head
        .uri
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    match left {
        0 => Ok(responses::echo(request)),
        1 => responses::redirect(status, "/get"),
        _ => responses::redirect(status, &format!("/redirect/{}{query}", left - 1)),
    }
}

async fn redirect_to(request: &EndpointRequest) -> EndpointResult {
    tokio::time::sleep(parse_seconds(request.query_value("delay", 0.0)?)?).await;
    let target = request
        .query_text("url")
        .ok_or_else(|| EndpointError::BadRequest("`url` is missing".into()))?;
    responses::redirect(request.query_status(302)?, &target)
}

fn gzip_bomb(request: &EndpointRequest) -> EndpointResult {
    let mut response = content(GzipBomb::new(
        request.path_argument("a number of mebibytes")?,
    ));
    response
        .headers_mut()
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(response)
}

fn set_cookie(request: &EndpointRequest) -> EndpointResult {
    let mut response = match request.query_text("to") {
        Some(target) => responses::redirect(302, &target)?,
        None => responses::status(200),
    };
    let cookie = request
        .query_text("c")
        .ok_or_else(|| EndpointError::BadRequest("`c` is missing".into()))?;
    let cookie = HeaderValue::from_bytes(cookie.as_bytes()).map_err(|_| {
        EndpointError::BadRequest("`c` has characters that are not allowed in a header".into())
    })?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

fn close_connection() -> Response<ResponseBody> {
    let mut response = responses::status(200);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
