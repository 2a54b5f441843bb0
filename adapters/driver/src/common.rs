//! The names that every adapter's crate re-exports.
//!
//! Each adapter has `pub use fetch_driver::common::*;`, so a program changes to another runtime by
//! changing the crate's name.

pub use fetch_proto::FetchError;
pub use futures_lite::stream::{self, Stream, StreamExt};

pub use crate::{
    AttemptEnd, AttemptReport, Backoff, BatchStats, BodyRetention, BuildError, ClientIdentity,
    ConnectTo, CookieJar, EngineStats, Error, ErrorKind, FailureKind, FetchAll, FetchTimings,
    Http2Mode, IntoRequest, Jitter, Method, Outcome, OverCap, Policy, PolicyPatch, PolicyRules,
    Proxy, ProxyKind, ProxyRules, Rate, RedirectPolicy, Request, Response, RetryAfterPolicy,
    RulePattern, StatusSet, StreamedBody, StreamedResponse, TimeLimit, Timeouts, TimeoutsPatch,
    bytes, http, url,
};
