//! The options for retries and timeouts.

use std::time::Duration;

use clap::Args as Group;
use fetch_proto::{RulePattern, StatusSet};

use crate::args::values;

#[derive(Clone, Debug, Group)]
#[command(next_help_heading = "Retries")]
pub(crate) struct RetryArgs {
    /// Maximum retries of a request: after connection, DNS and timeout errors and the statuses 408
    /// 425 429 500 502 503 504, if the method is idempotent
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::retries)]
    pub(crate) retry: u16,

    /// Delay before each retry [default: 1, 2, 4 … at most 30]
    ///
    /// Jitter shortens a delay to between 50 % and 100 %, unless --no-jitter is given. A server's
    /// Retry-After is never shortened.
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) retry_delay: Option<Duration>,

    /// Timeout of a URL, retries and delays included; 0 means none [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) retry_max_time: Option<Duration>,

    /// Longest wait for a host that is down; 0 means none, each URL fails by itself [default: 300]
    ///
    /// A host is down if no connection is possible, or if its gateway answers 502, 503 or 504, several
    /// times in a row. Its URLs then wait, without using up retries and time limits; other hosts are not
    /// delayed. Probes find out when it is back. A host that has not answered once in this run is waited
    /// for 30 seconds at most. After that its URLs fail with host_down. This is also the longest
    /// Retry-After that is obeyed.
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) host_max_wait: Option<Duration>,

    /// Longest Retry-After to obey; a URL with a longer one is not retried [default: as --host-max-wait,
    /// or 60 without that]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) max_retry_after: Option<Duration>,

    /// Use exact retry delays, without jitter
    #[arg(long)]
    pub(crate) no_jitter: bool,

    /// Seed of the jitter, so that runs can be compared
    #[arg(long, value_name = "N", value_parser = values::number, conflicts_with = "no_jitter")]
    pub(crate) seed: Option<u64>,

    #[command(flatten)]
    pub(crate) conditions: RetryConditionArgs,
}

/// The value of `--retry-on`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct RetryConditions {
    /// The statuses, if any is given.
    pub(crate) statuses: Option<StatusSet>,
    /// Whether a request that is not idempotent is repeated if no answer came.
    pub(crate) unanswered: bool,
}

#[derive(Clone, Debug, Group)]
#[command(next_help_heading = "Retries")]
pub(crate) struct RetryConditionArgs {
    /// Statuses to retry, such as 429,5xx [default: see --retry], and `unanswered`
    ///
    /// With unanswered, a request that is not idempotent is also sent again if no answer to it came:
    /// the server may then process it twice. Without a status beside it, those of --retry stay.
    #[arg(long, value_name = "STATUS,…", visible_alias = "retry-on-http-error")]
    #[arg(value_parser = values::retry_conditions)]
    pub(crate) retry_on: Option<RetryConditions>,

    /// Retry after every error, whatever the method; with -f also after every 4xx and 5xx
    #[arg(long)]
    pub(crate) retry_all_errors: bool,

    /// Retry when a connection is refused (always on)
    #[arg(long, hide = true)]
    pub(crate) retry_connrefused: bool,

    /// Abort an attempt that is slower than this, in bytes per second, for --speed-time
    /// [default with --speed-time: 1]
    #[arg(short = 'Y', long, value_name = "BYTES", value_parser = values::bytes)]
    pub(crate) speed_limit: Option<u64>,

    /// How long an attempt may be slower than --speed-limit [default with --speed-limit: 30]
    #[arg(short = 'y', long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) speed_time: Option<Duration>,
}

#[derive(Clone, Debug, Group)]
#[command(next_help_heading = "Timeouts")]
pub(crate) struct TimeoutArgs {
    /// Timeout of an attempt; 0 means none [default: 6, URLs with /delay/ 10, with /status/ 8]
    ///
    /// It starts with the attempt: time in the queue is not counted. If given, it applies to all URLs
    /// that no --timeout matches.
    #[arg(short = 'm', long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) max_time: Option<Duration>,

    /// Timeout of an attempt for URLs that match; the first match counts; repeatable
    ///
    /// PATTERN is a text that the URL contains, or glob:…, regex:…, host:… or method:…
    #[arg(long, value_name = "PATTERN=SECONDS", value_parser = values::pattern_timeout)]
    pub(crate) timeout: Vec<(RulePattern, Duration)>,

    /// Timeout of connecting, DNS and TLS included; 0 means none [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) connect_timeout: Option<Duration>,

    /// Timeout between two chunks of a body; 0 means none [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) read_timeout: Option<Duration>,

    /// Stop the run after this time, with exit code 20
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) deadline: Option<Duration>,
}
