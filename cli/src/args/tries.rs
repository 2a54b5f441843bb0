//! The options for what is tried again, and what is given up.

use std::num::NonZeroU64;

use clap::Args as Group;
use fetch_proto::StatusSet;

use super::values;

#[derive(Clone, Debug, Group)]
#[command(next_help_heading = "Retries")]
pub(crate) struct Tries {
    /// The statuses that are tried again, such as 429,5xx [default: see --retry]
    #[arg(long, value_name = "STATUS,…", visible_alias = "retry-on-http-error")]
    #[arg(value_parser = values::statuses, hide_short_help = true)]
    pub(crate) retry_on: Option<StatusSet>,

    /// Try again after every failure, whatever the method: after 4xx and 5xx only with -f
    #[arg(long, hide_short_help = true)]
    pub(crate) retry_all_errors: bool,

    /// Try again when a connection is refused: it always is
    #[arg(long, hide = true)]
    pub(crate) retry_connrefused: bool,

    /// Give an attempt up that is slower than this, in bytes per second, for --speed-time
    /// [default: 1; with --speed-time alone too]
    #[arg(short = 'Y', long, value_name = "BYTES", value_parser = values::bytes)]
    #[arg(hide_short_help = true)]
    pub(crate) speed_limit: Option<u64>,

    /// How long an attempt may be that slow [default: 20, or 30 with --speed-limit alone]
    #[arg(short = 'y', long, value_name = "SECONDS", value_parser = values::seconds)]
    #[arg(hide_short_help = true)]
    pub(crate) speed_time: Option<std::time::Duration>,

    /// Stop after so many failures, with exit code 20
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) max_errors: Option<NonZeroU64>,
}
