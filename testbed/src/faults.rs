//! Endpoints that remember a key, so that a first request fails and a later one succeeds.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use hyper::header::{HeaderValue, RETRY_AFTER};

use crate::body::Body;
use crate::bounded::Bounded;
use crate::call::{Call, Stop, seconds};
use crate::observe::lock;
use crate::replies::{self, Reply};
use crate::wire::Break;

const MAX_KEYS: usize = 1 << 18;
const FAULT_BODY: u64 = 1_024;

/// How a faulty number of `/fault` misbehaves on its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is reset before any byte of a response.
    Reset,
    /// The request is never answered.
    Stall,
    /// The answer is 503.
    Unavailable,
}

impl Fault {
    /// Tells what `/fault?percent=P&seed=S&n=N` does at the first request; `None` means 200.
    ///
    /// The choice depends on the arguments alone. `percent` counts in steps of 0.001; 100 and more means every number.
    ///
    /// ```
    /// use fetch_testbed::Fault;
    ///
    /// let faulty = (0..10_000).filter(|&n| Fault::of(7, n, 5.0).is_some()).count();
    /// assert!((400..600).contains(&faulty));
    /// ```
    pub fn of(seed: u64, n: u64, percent: f64) -> Option<Self> {
        let hash = mix(seed ^ mix(n));
        // A float that is out of range saturates here, which is the meaning wanted.
        if hash % 100_000 >= (percent * 1_000.0).round() as u64 {
            return None;
        }
        Some(match mix(hash) % 3 {
            0 => Self::Reset,
            1 => Self::Stall,
            _ => Self::Unavailable,
        })
    }
}

/// The finishing step of SplitMix64.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How often each key was asked for, for the 262,144 keys used last.
#[derive(Debug)]
pub(crate) struct Memory(Mutex<Bounded<u64, u64>>);

impl Memory {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Bounded::new(MAX_KEYS)))
    }

    /// Counts a request for a key and returns how many came before.
    fn count(&self, key: impl Hash) -> u64 {
        // A hash keeps the memory bounded whatever the length of the keys.
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let mut seen = lock(&self.0);
        let count = seen.entry(hasher.finish(), || 0);
        *count += 1;
        *count - 1
    }
}

/// Counts a request for the endpoint, its argument and its key.
fn count(call: &Call) -> u64 {
    call.connection
        .memory()
        .count((call.route(), call.text("key")))
}

/// `/flaky/N?key=K`
pub(crate) fn flaky(call: &Call) -> Reply {
    let failures: u64 = call.argument("a number of failures")?;
    let before = count(call);
    Ok(if before < failures {
        replies::text(503, format!("failure {} of {failures}\n", before + 1))
    } else {
        replies::text(200, format!("well after {failures} failures\n"))
    })
}

/// `/retry-after/SECONDS?key=K&status=S&form=seconds|date`
pub(crate) fn retry_after(call: &Call) -> Reply {
    let seconds: u32 = call.argument("whole seconds")?;
    let status = call.status(503)?;
    let value = match call.text("form").as_deref() {
        None | Some("seconds") => seconds.to_string(),
        Some("date") => {
            let then = SystemTime::now() + Duration::from_secs(seconds.min(1 << 31).into());
            httpdate::fmt_http_date(then)
        }
        Some(_) => return Err(Stop::Bad("`form` is seconds or date".into())),
    };
    if count(call) > 0 {
        return Ok(replies::text(200, "welcome back\n"));
    }
    let mut response = replies::text(status, "come back later\n");
    let value = HeaderValue::try_from(value).expect("digits or a date");
    response.headers_mut().insert(RETRY_AFTER, value);
    Ok(response)
}

/// `/slow-once/SECONDS?key=K`
pub(crate) async fn slow_once(call: &Call) -> Reply {
    let wait = seconds(call.argument("a number of seconds")?)?;
    if count(call) == 0 {
        tokio::time::sleep(wait).await;
    }
    Ok(replies::text(200, "here it is\n"))
}

/// `/rate-limit/SECONDS?key=K`
pub(crate) fn rate_limit(call: &Call) -> Reply {
    let wait: u32 = call.argument("whole seconds")?;
    let mut response = replies::text(200, "fine\n");
    if count(call) == 0 {
        let value = format!("\"default\";r=0;t={wait}");
        let value = HeaderValue::try_from(value).expect("digits");
        response.headers_mut().insert("ratelimit", value);
    }
    Ok(response)
}

/// `/fault?percent=P&seed=S&n=N`
pub(crate) async fn fault(call: &Call) -> Reply {
    let percent: f64 = call.parameter("percent", 10.0)?;
    let seed: u64 = call.parameter("seed", 0)?;
    let n: u64 = call.parameter("n", 0)?;
    let fine = || replies::content(Body::bytes(FAULT_BODY));
    let Some(fault) = Fault::of(seed, n, percent) else {
        return Ok(fine());
    };
    if call.connection.memory().count(("fault", seed, n)) > 0 {
        return Ok(fine());
    }
    match fault {
        Fault::Reset => break_off(call, Break::Reset),
        Fault::Stall => std::future::pending().await,
        Fault::Unavailable => Ok(replies::status(503)),
    }
}

/// `/mixed/N?seed=S`: the N-th page of a site as sites are.
pub(crate) async fn mixed(call: &Call) -> Reply {
    let n: u64 = call.argument("a number")?;
    let seed: u64 = call.parameter("seed", 0)?;
    let hash = mix(seed ^ mix(n));
    let length = 256 + mix(hash) % (16 * 1_024);
    let page = || replies::content(Body::bytes(length));
    match hash % 100 {
        0..4 if call.connection.memory().count(("mixed", seed, n)) == 0 => Ok(replies::status(503)),
        4..12 => Ok(replies::status(404)),
        12..17 => replies::redirect(302, &format!("/bytes/{length}")),
        17..22 => {
            tokio::time::sleep(Duration::from_millis(50 + mix(hash) % 200)).await;
            Ok(page())
        }
        _ => Ok(page()),
    }
}

/// Ends the connection without a response.
pub(crate) fn break_off(call: &Call, how: Break) -> Reply {
    call.connection.control.break_off(how);
    Err(Stop::Broken)
}
