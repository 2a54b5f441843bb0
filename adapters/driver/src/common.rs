//! The names that every adapter's crate re-exports.
//!
//! Each adapter has `pub use fetch_driver::common::*;`, so a program changes to another runtime by
//! changing the crate's name.

pub use fetch_proto::Error as FetchError;
pub use futures_lite::stream::{self, Stream, StreamExt};

pub use crate::{
    AttemptEnd, AttemptReport, Backoff, BatchStats, BodyRetention, BuildError, ClientIdentity,
    ConnectTo, CookieJar, Error, ErrorKind, Failure, FetchAll, Http2Mode, IntoRequest, Jitter,
    Limit, Method, Outcome, OverCap, Pattern, Policy, Proxy, ProxyKind, ProxyRules, Rate,
    Redirects, Request, Response, RetryAfter, Rules, Stats, StatusSet, StreamedBody,
    StreamedResponse, Timeouts, Timings, bytes, http, url,
};
