//! The options for more output than records.

use std::path::PathBuf;

use clap::Args as Group;

#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct ReportArgs {
    /// Print this on stdout for each URL, as curl does; records are then written only to -o
    ///
    /// As in curl: %{http_code} %{url} %{json} %header{name} …, \n \t, and @FILE or @-. An unknown
    /// variable is an error.
    #[arg(short = 'w', long, value_name = "FORMAT")]
    pub(crate) write_out: Option<String>,

    /// Write an HTML report: timeline, latency, hosts, retries, failures and suggested fixes
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,

    /// Include the response's header fields in each record, as `header_json`
    #[arg(long, visible_alias = "include-headers")]
    pub(crate) record_headers: bool,
}
