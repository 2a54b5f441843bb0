//! The options for more output than records.

use std::path::PathBuf;

use clap::Args as Group;

use crate::args::values;
use crate::outcome::recorded_body::{BodyRecording, RecordedForm};

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

    /// Write the heads of all responses for a single URL, redirects included, to this file
    ///
    /// - means stdout, if the records go to a file.
    #[arg(short = 'D', long, value_name = "FILE", value_parser = values::path)]
    pub(crate) dump_header: Option<PathBuf>,

    /// Include the response's header fields in each record, as `header_json`
    #[arg(long, visible_alias = "include-headers")]
    pub(crate) record_headers: bool,

    /// Include the response's body in each record, as `body`
    ///
    /// It may have any status. A longer body than --record-body-max is left out, and what is not JSON
    /// or not valid text is recorded as far as possible: body_error says so.
    #[arg(long, value_name = "FORM")]
    pub(crate) record_body: Option<RecordedForm>,

    /// Size of the longest body in a record, such as 200k or 8M, at most 64M
    #[arg(long, value_name = "BYTES", default_value = "1M", value_parser = values::recorded_bytes)]
    pub(crate) record_body_max: u64,
}

impl ReportArgs {
    /// The form in which bodies are recorded.
    pub(crate) fn body_recording(&self) -> Option<BodyRecording> {
        let form = self.record_body?;
        let max = self.record_body_max;
        Some(BodyRecording { form, max })
    }
}
