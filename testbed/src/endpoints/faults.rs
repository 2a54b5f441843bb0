//! Endpoints whose first requests fail and later ones succeed, by a key.

use std::time::{Duration, SystemTime};

use hyper::header::{HeaderValue, RETRY_AFTER};

use super::body::ResponseBody;
use super::request::{EndpointError, EndpointRequest, parse_seconds};
use super::responses::{self, EndpointResult};
use crate::connection::stream::BreakMode;

const FAULT_BODY: u64 = 1_024;

/// How the first request for a faulty number of `/fault` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is reset before any byte of a response.
    Reset,
    /// The request is never answered.
    Stall,
    /// The response has status 503.
    Unavailable,
}

impl Fault {
    /// Returns how the first request for `/fault?percent=P&seed=S&n=N` fails; `None` if it succeeds.
    ///
    /// The result depends on the arguments only. `percent` has a resolution of 0.001; from 100 on, every number fails.
    ///
    /// ```
    /// use fetch_testbed::Fault;
    ///
    /// let faulty = (0..10_000).filter(|&n| Fault::of(7, n, 5.0).is_some()).count();
    /// assert!((400..600).contains(&faulty));
    /// ```
    pub fn of(seed: u64, n: u64, percent: f64) -> Option<Self> {
        let hash = mix_bits(seed ^ mix_bits(n));
        // Out of range, the conversion saturates, as intended.
        if hash % 100_000 >= (percent * 1_000.0).round() as u64 {
            return None;
        }
        Some(match mix_bits(hash) % 3 {
            0 => Self::Reset,
            1 => Self::Stall,
            _ => Self::Unavailable,
        })
    }
}

/// The finalizer of SplitMix64.
fn mix_bits(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Counts a request by endpoint, argument and key. Returns the number of requests before it.
fn count_request(request: &EndpointRequest) -> u64 {
    request
        .connection
        .request_counts()
        .count((request.split_path(), request.query_text("key")))
}

/// `/flaky/N?key=K`
pub(crate) fn flaky(request: &EndpointRequest) -> EndpointResult {
    let failures: u64 = request.path_argument("a number of failures")?;
    let before = count_request(request);
    Ok(if before < failures {
        responses::text(503, format!("failure {} of {failures}\n", before + 1))
    } else {
        responses::text(200, format!("well after {failures} failures\n"))
    })
}

/// `/retry-after/SECONDS?key=K&status=S&form=seconds|date`
pub(crate) fn retry_after(request: &EndpointRequest) -> EndpointResult {
    let seconds: u32 = request.path_argument("whole seconds")?;
    let status = request.query_status(503)?;
    let value = match request.query_text("form").as_deref() {
        None | Some("seconds") => seconds.to_string(),
        Some("date") => {
            let then = SystemTime::now() + Duration::from_secs(seconds.min(1 << 31).into());
            httpdate::fmt_http_date(then)
        }
        Some(_) => {
            return Err(EndpointError::BadRequest(
                "`form` is seconds or date".into(),
            ));
        }
    };
    if count_request(request) > 0 {
        return Ok(responses::text(200, "welcome back\n"));
    }
    let mut response = responses::text(status, "come back later\n");
    let value = HeaderValue::try_from(value).expect("digits or a date");
    response.headers_mut().insert(RETRY_AFTER, value);
    Ok(response)
}

/// `/slow-once/SECONDS?key=K`
pub(crate) async fn slow_once(request: &EndpointRequest) -> EndpointResult {
    let wait = parse_seconds(request.path_argument("a number of seconds")?)?;
    if count_request(request) == 0 {
        tokio::time::sleep(wait).await;
    }
    Ok(responses::text(200, "here it is\n"))
}

/// `/rate-limit/SECONDS?key=K`
pub(crate) fn rate_limit(request: &EndpointRequest) -> EndpointResult {
    let wait: u32 = request.path_argument("whole seconds")?;
    let mut response = responses::text(200, "fine\n");
    if count_request(request) == 0 {
        let value = format!("\"default\";r=0;t={wait}");
        let value = HeaderValue::try_from(value).expect("digits");
        response.headers_mut().insert("ratelimit", value);
    }
    Ok(response)
}

/// `/fault?percent=P&seed=S&n=N`
pub(crate) async fn fault(request: &EndpointRequest) -> EndpointResult {
    let percent: f64 = request.query_value("percent", 10.0)?;
    let seed: u64 = request.query_value("seed", 0)?;
    let n: u64 = request.query_value("n", 0)?;
    let success = || responses::content(ResponseBody::generated(FAULT_BODY));
    let Some(fault) = Fault::of(seed, n, percent) else {
        return Ok(success());
    };
    if request
        .connection
        .request_counts()
        .count(("fault", seed, n))
        > 0
    {
        return Ok(success());
    }
    match fault {
        Fault::Reset => break_connection(request, BreakMode::Reset),
        Fault::Stall => std::future::pending().await,
        Fault::Unavailable => Ok(responses::status(503)),
    }
}

/// `/mixed/N?seed=S`: page N of a simulated real site.
pub(crate) async fn mixed(request: &EndpointRequest) -> EndpointResult {
    let n: u64 = request.path_argument("a number")?;
    let seed: u64 = request.query_value("seed", 0)?;
    let hash = mix_bits(seed ^ mix_bits(n));
    let length = 256 + mix_bits(hash) % (16 * 1_024);
    let page = || responses::content(ResponseBody::generated(length));
    match hash % 100 {
        0..4 if request
            .connection
            .request_counts()
            .count(("mixed", seed, n))
            == 0 =>
        {
            Ok(responses::status(503))
        }
        4..12 => Ok(responses::status(404)),
        12..17 => responses::redirect(302, &format!("/bytes/{length}")),
        17..22 => {
            tokio::time::sleep(Duration::from_millis(50 + mix_bits(hash) % 200)).await;
            Ok(page())
        }
        _ => Ok(page()),
    }
}

/// Breaks the connection without a response.
pub(crate) fn break_connection(request: &EndpointRequest, mode: BreakMode) -> EndpointResult {
    request.connection.control.break_off(mode);
    Err(EndpointError::ConnectionBroken)
}
