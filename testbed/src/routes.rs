use std::fmt::Write;
use std::time::Duration;

use hyper::Response;
use hyper::header::{CONNECTION, CONTENT_ENCODING, HeaderValue, SET_COOKIE};

use crate::body::{Body, Bomb, Made};
use crate::call::{Call, Stop, final_status, seconds};
use crate::replies::{self, Reply};
use crate::wire::Break;
use crate::{faults, replies::content};

/// The length that the endpoints promise whose body is cut short, and the part that they send.
const PROMISED: u64 = 4_096;
const SENT: u64 = 1_024;
const MAX_REDIRECTS: u32 = 100_000;

/// An endpoint of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// Its path; words in capitals stand for values.
    pub path: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// A path and query to try.
    pub example: &'static str,
}

const fn endpoint(path: &'static str, example: &'static str, about: &'static str) -> Endpoint {
    Endpoint {
        path,
        about,
        example,
    }
}

/// Every endpoint, as the page `/` lists them.
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
        "the same, whatever follows",
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
    endpoint("/endless", "/endless", "a body without end"),
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
        "200 after a wait, once per key; at once from then on",
    ),
    endpoint(
        "/rate-limit/SECONDS?key=K",
        "/rate-limit/1?key=a",
        "200, once per key with a RateLimit field: nothing left for so long",
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
        "what the site was made with, or leave for all",
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
        "a small gzip body that inflates to so many mebibytes",
    ),
    endpoint(
        "/head-flood?bytes=",
        "/head-flood?bytes=100000",
        "a header section of so many bytes (1 MiB)",
    ),
    endpoint(
        "/basic-auth/USER/PASS",
        "/basic-auth/me/secret",
        "200 to these credentials, else 401",
    ),
    endpoint(
        "/set-cookie?c=COOKIE&to=URL",
        "/set-cookie?c=a%3D1%3B%20Path%3D/",
        "200 with Set-Cookie, or with it a redirect",
    ),
    endpoint("/close", "/close", "200 with Connection: close"),
    endpoint("/stall", "/stall", "no answer, ever"),
    endpoint(
        "/stall-body",
        "/stall-body",
        "1,024 bytes of 4,096, then nothing",
    ),
    endpoint("/reset", "/reset", "a reset (RST) in place of an answer"),
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
        "the end of the connection in place of an answer",
    ),
    endpoint("/garbage", "/garbage", "bytes that are not HTTP"),
    endpoint(
        "/fault?percent=P&seed=S&n=N",
        "/fault?percent=10&seed=1&n=10",
        "P percent of the n fail once (reset, stall or 503), then 200 with 1 KiB",
    ),
    endpoint(
        "/mixed/N?seed=S",
        "/mixed/5",
        "a page like those of real sites: some slow, moved, missing or flaky",
    ),
];

/// Answers a request.
pub(crate) async fn answer(call: &Call) -> Reply {
    let reply = match call.route().0 {
        "" => index(),
        "get" | "anything" => replies::echo(call),
        "headers" => replies::headers(call),
        "status" => replies::status(final_status(call.argument("a status")?)?),
        "delay" => return delay(call).await,
        "bytes" => content(Body::bytes(call.argument("a number of bytes")?)),
        "stream-bytes" => stream_bytes(call)?,
        "slow-body" => slow_body(call)?,
        "drip" => drip(call)?,
        "endless" => content(Made::new(u64::MAX)),
        "flaky" => faults::flaky(call)?,
        "retry-after" => faults::retry_after(call)?,
        "slow-once" => faults::slow_once(call).await?,
        "rate-limit" => faults::rate_limit(call)?,
        "redirect" => redirect(call)?,
        "redirect-to" => redirect_to(call).await?,
        "redirect-loop" => replies::redirect(302, "/redirect-loop")?,
        "robots.txt" => robots(call),
        "gzip" => replies::compressed(call, "gzip"),
        "deflate" => replies::compressed(call, "deflate"),
        "brotli" => replies::compressed(call, "br"),
        "zstd" => replies::compressed(call, "zstd"),
        "gzip-bomb" => gzip_bomb(call)?,
        "head-flood" => replies::head_flood(call.parameter("bytes", 1 << 20)?)?,
        "basic-auth" => replies::basic_auth(call)?,
        "set-cookie" => set_cookie(call)?,
        "close" => close(),
        "fault" => return faults::fault(call).await,
        "mixed" => return faults::mixed(call).await,
        name => return broken(call, name).await,
    };
    Ok(reply)
}

/// Answers at the endpoints that break the connection or never end.
async fn broken(call: &Call, name: &str) -> Reply {
    let control = &call.connection.control;
    let part = || Made::new(SENT).promise(PROMISED);
    match name {
        "stall" => std::future::pending().await,
        "stall-body" => Ok(content(part().then_hang())),
        "reset" => faults::break_off(call, Break::Reset),
        "reset-body" => Ok(content(part().then_break(control, Break::Reset))),
        "truncate" => Ok(content(part().then_break(control, Break::Fin))),
        "empty-reply" => faults::break_off(call, Break::Fin),
        "garbage" => {
            control.garble();
            Ok(replies::status(200))
        }
        _ => Ok(replies::text(404, "no such endpoint; / lists them\n")),
    }
}

fn robots(call: &Call) -> Response<Body> {
    match &call.connection.shared.robots {
        Some((status, text)) => replies::text(*status, text.clone()),
        None => replies::text(200, "User-agent: *\nAllow: /\n"),
    }
}

fn index() -> Response<Body> {
    let mut page = String::new();
    for endpoint in ENDPOINTS {
        let _ = writeln!(page, "{:42} {}", endpoint.path, endpoint.about);
    }
    replies::text(200, page)
}

async fn delay(call: &Call) -> Reply {
    tokio::time::sleep(seconds(call.argument("a number of seconds")?)?).await;
    Ok(replies::echo(call))
}

fn stream_bytes(call: &Call) -> Reply {
    let length = call.argument("a number of bytes")?;
    Ok(content(
        Made::new(length).chunk(call.parameter("chunk", 1_024)?),
    ))
}

fn slow_body(call: &Call) -> Reply {
    const CHUNK: u64 = 10;
    let chunks: u32 = call.parameter("chunks", 10)?;
    let interval = call.wait("interval", 0.1)?;
    Ok(content(
        Made::new(u64::from(chunks) * CHUNK)
            .chunk(CHUNK)
            .pace(interval),
    ))
}

fn drip(call: &Call) -> Reply {
    let length: u64 = call.parameter("bytes", 10)?;
    let duration = call.wait("duration", 1.0)?;
    // Timers tick in milliseconds: steps shorter than ten of them would stretch the whole.
    let steps = (duration.as_millis() as u64 / 10).clamp(1, length.max(1));
    let chunk = length.div_ceil(steps).max(1);
    let interval = duration.div_f64(length.div_ceil(chunk).max(1) as f64);
    let made = Made::new(length).promise(length).chunk(chunk);
    Ok(content(made.pace(interval.max(Duration::from_millis(1)))))
}

fn redirect(call: &Call) -> Reply {
    let left: u32 = call.argument("a number of redirects")?;
    if left > MAX_REDIRECTS {
        return Err(Stop::Bad(format!("at most {MAX_REDIRECTS} redirects")));
    }
    let status = call.status(302)?;
    let query = call
        .head
        .uri
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    match left {
        0 => Ok(replies::echo(call)),
        1 => replies::redirect(status, "/get"),
        _ => replies::redirect(status, &format!("/redirect/{}{query}", left - 1)),
    }
}

async fn redirect_to(call: &Call) -> Reply {
    tokio::time::sleep(seconds(call.parameter("delay", 0.0)?)?).await;
    let target = call
        .text("url")
        .ok_or_else(|| Stop::Bad("`url` is missing".into()))?;
    replies::redirect(call.status(302)?, &target)
}

fn gzip_bomb(call: &Call) -> Reply {
    let mut response = content(Bomb::new(call.argument("a number of mebibytes")?));
    response
        .headers_mut()
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(response)
}

fn set_cookie(call: &Call) -> Reply {
    let mut response = match call.text("to") {
        Some(target) => replies::redirect(302, &target)?,
        None => replies::status(200),
    };
    let cookie = call
        .text("c")
        .ok_or_else(|| Stop::Bad("`c` is missing".into()))?;
    let cookie = HeaderValue::from_bytes(cookie.as_bytes())
        .map_err(|_| Stop::Bad("`c` has characters that no header may hold".into()))?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

fn close() -> Response<Body> {
    let mut response = replies::status(200);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
