//! The options for conditional requests.

use std::path::PathBuf;

use clap::Args as Group;

use crate::args::values;

#[derive(Debug, Group)]
#[command(next_help_heading = "Request")]
pub(crate) struct ConditionArgs {
    /// Ask for the body only if the ETag in this file has changed; for a single URL
    ///
    /// Without the file, or if it is empty, everything is asked for. An unchanged body is answered by 304.
    #[arg(long, value_name = "FILE", value_parser = values::path)]
    pub(crate) etag_compare: Option<PathBuf>,

    /// Write the ETag of the response to this file; for a single URL
    ///
    /// It may be the same file as that of --etag-compare. A response without an ETag empties it, a
    /// failure and an HTTP error do not change it.
    #[arg(long, value_name = "FILE", value_parser = values::path)]
    pub(crate) etag_save: Option<PathBuf>,

    /// Ask for bodies only if they are newer than this date, or than this file; -DATE: only if they are older
    ///
    /// Such as 2026-11-30, 2026-11-30T10:00:00Z or 'Mon, 30 Nov 2026 10:00:00 GMT'. Sends
    /// If-Modified-Since or If-Unmodified-Since.
    #[arg(
        short = 'z',
        long,
        value_name = "DATE|FILE",
        allow_hyphen_values = true
    )]
    pub(crate) time_cond: Option<String>,
}
