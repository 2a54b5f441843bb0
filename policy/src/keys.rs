//! What may stand in the file.

use std::collections::BTreeMap;

use fetch_proto::{Class, Failure, OverCap, Rate};
use serde::Deserialize;
use url::Url;

use crate::limits::{Breaker, Budget, Limits, Shed, Target, Throttle};
use crate::time::{Percent, Period, TimeLimit};

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Keys {
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

macro_rules! table {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: Option<$type>,)*
        }
    };
}
pub(crate) use table;

table! {
    /// How a policy differs from the one below it; and, of a rule, for which URLs. Both are one table,
    /// since serde can refuse unknown keys only where nothing is flattened.
    Policy {
        attempts: u16,
        backoff: Backoff,
        chaos: Vec<Chaos>,
        classes: BTreeMap<String, Class>,
        drain: u64,
        fallback: Fallback,
        hedge: Hedge,
        max_body: u64,
        methods: Vec<String>,
        #[serde(rename = "match")]
        pattern: String,
        rate: Rate_,
        redirects: Redirects,
        retry_after: RetryAfter,
        retry_non_idempotent: bool,
        retry_statuses: Vec<u16>,
        stall: Stall,
        timeouts: Timeouts,
        useful: Period,
    }
}

table! {
    Backoff {
        base: Period,
        cap: Period,
        factor: u32,
        jitter: Jitter,
        step: Period,
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

table! { RetryAfter { cap: Period, over: OverCap, } }
table! { Redirects { downgrade: bool, max: u16, } }
table! { Stall { grace: Period, min_bytes_per_second: u64, window: Period, } }
table! { Fallback { url: Url, value: bool, } }
table! {
    Hedge {
        after: Period,
        fallback: Period,
        max: u8,
        min: Period,
        on_failure: bool,
        percentile: Percent,
    }
}

/// A fault on purpose.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chaos {
    pub(crate) fault: FaultName,
    pub(crate) percent: Percent,
    pub(crate) bytes: Option<u64>,
    pub(crate) by: Option<Period>,
    pub(crate) failure: Option<String>,
    pub(crate) max: Option<Period>,
    pub(crate) min: Option<Period>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultName {
    ClockJump,
    Error,
    Latency,
    Reset,
    Stall,
    Truncate,
}

/// A rate in the syntax of the command's `--rate`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate_(pub(crate) Rate);

impl<'de> Deserialize<'de> for Rate_ {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// The failure with this name, as records and metrics have it.
pub(crate) fn failure(name: &str) -> Option<Failure> {
    let all = [
        Failure::Connect,
        Failure::Decode,
        Failure::Dropped,
        Failure::EmptyReply,
        Failure::Io,
        Failure::Protocol,
        Failure::Resolve,
        Failure::Tls,
    ];
    all.into_iter().find(|failure| failure.as_str() == name)
}
