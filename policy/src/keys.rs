//! The keys of a policy file, as serde reads them.

use std::collections::BTreeMap;

use fetch_proto::{FailureKind, OverCap, RetryClass};
use serde::Deserialize;
use url::Url;

use crate::tables::{Breaker, Budget, Limits, Shed, Target, Throttle};
use crate::values::{DurationText, Percent, RateText, TimeLimit, table};

/// All keys of a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileKeys {
    pub(crate) breaker: Option<Breaker>,
    pub(crate) budget: Option<Budget>,
    pub(crate) default: Policy,
    pub(crate) host_budget: Option<Budget>,
    pub(crate) limits: Limits,
    pub(crate) rule: Vec<Policy>,
    pub(crate) shed: Option<Shed>,
    pub(crate) target: Vec<Target>,
    pub(crate) throttle: Option<Throttle>,
}

table! {
    /// Changes to a policy and, in a rule, the URLs that it applies to. One table for both, because
    /// serde refuses unknown keys only in structs without flattened fields.
    Policy {
        attempts: u16,
        backoff: Backoff,
        chaos: Vec<Chaos>,
        classes: BTreeMap<String, RetryClass>,
        drain: u64,
        fallback: Fallback,
        hedge: Hedge,
        max_body: u64,
        methods: Vec<String>,
        #[serde(rename = "match")]
        pattern: String,
        rate: RateText,
        redirects: Redirects,
        retry_after: RetryAfter,
        retry_non_idempotent: bool,
        retry_statuses: Vec<u16>,
        stall: Stall,
        timeouts: Timeouts,
        useful: DurationText,
    }
}

table! {
    Backoff {
        base: DurationText,
        cap: DurationText,
        factor: u32,
        jitter: Jitter,
        step: DurationText,
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Jitter {
    Decorrelated,
    Equal,
    Full,
    None,
    Smooth,
}

table! {
    Timeouts {
        attempt: TimeLimit,
        connect: TimeLimit,
        first_byte: TimeLimit,
        idle_read: TimeLimit,
        queue: TimeLimit,
        total: TimeLimit,
    }
}

table! { RetryAfter { cap: DurationText, over: OverCap, } }
table! {
    Redirects {
        downgrade: bool,
        follow: bool,
        https_only: bool,
        keep_post: Vec<u16>,
        max: u16,
        trusted: bool,
    }
}
table! { Stall { grace: DurationText, min_bytes_per_second: u64, window: DurationText, } }
table! { Fallback { url: Url, value: bool, } }
table! {
    Hedge {
        after: DurationText,
        fallback: DurationText,
        max: u8,
        min: DurationText,
        on_failure: bool,
        percentile: Percent,
    }
}

/// An injected fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chaos {
    pub(crate) fault: FaultKind,
    pub(crate) percent: Percent,
    pub(crate) bytes: Option<u64>,
    pub(crate) by: Option<DurationText>,
    pub(crate) failure: Option<String>,
    pub(crate) max: Option<DurationText>,
    pub(crate) min: Option<DurationText>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    ClockJump,
    Error,
    Latency,
    Reset,
    Stall,
    Truncate,
}

/// The failure with this name. Records and metrics use the same names.
pub(crate) fn parse_failure(name: &str) -> Option<FailureKind> {
    let all = [
        FailureKind::Connect,
        FailureKind::Decode,
        FailureKind::Dropped,
        FailureKind::EmptyReply,
        FailureKind::Io,
        FailureKind::Protocol,
        FailureKind::Resolve,
        FailureKind::Tls,
        FailureKind::Unanswered,
        FailureKind::UnknownHost,
    ];
    all.into_iter().find(|failure| failure.as_str() == name)
}
