//! Parses the waits that HTTP servers request: the field `Retry-After`, and the `RateLimit` fields in all
//! forms in use. It needs no HTTP crate: fields are pairs of a name and a value.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use fetch_retry_after::{parse_retry_after, rate_limit_wait};
//!
//! let now = SystemTime::UNIX_EPOCH;
//! let date = "Thu, 01 Jan 1970 00:01:00 GMT";
//! assert_eq!(parse_retry_after(date, now), Some(Duration::from_secs(60)));
//! let fields = [("RateLimit-Remaining", &b"0"[..]), ("RateLimit-Reset", b"30")];
//! assert_eq!(rate_limit_wait(fields, || now), Some(Duration::from_secs(30)));
//! ```

mod rate_limit;
mod retry_after;

pub use rate_limit::{RATE_LIMIT_FIELDS, rate_limit_wait};
pub use retry_after::parse_retry_after;

/// Compiles and runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
