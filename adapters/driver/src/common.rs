//! What every adapter's crate offers under its own name.
//!
//! An adapter says `pub use fetch_driver::common::*;`, so that they all have the same names and a
//! program moves from one runtime to another by the change of one word.

pub use fetch_proto::Error as FetchError;
pub use futures_lite::stream::{self, Stream, StreamExt};

pub use crate::{
    AttemptEnd, AttemptReport, Backoff, BatchStats, Body, BuildError, ConnectTo, CookieJar, Error,
    ErrorKind, Failure, FetchAll, Http2, Identity, IntoRequest, Jitter, Keep, Limit, Method,
    Outcome, OverCap, Pattern, Policy, Proxy, ProxyKind, ProxyRules, Rate, Redirects, Request,
    Response, RetryAfter, Rules, Stats, StatusSet, StreamedResponse, Timeouts, Timings,
};
