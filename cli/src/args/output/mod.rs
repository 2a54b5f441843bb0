//! The options for what is written and shown.

mod console;
mod report;
mod save;
mod state;

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args as Group;

use crate::args::values;
use crate::output::format::RecordFormat;
pub(crate) use console::{LogArgs, MonitorArgs, ProgressArgs};
pub(crate) use report::ReportArgs;
pub(crate) use save::SaveArgs;
pub(crate) use state::StateArgs;

#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// File for the records, - for stdout; its ending selects the format
    #[arg(short, long, value_name = "FILE|-", value_parser = values::output)]
    pub(crate) output: Option<PathBuf>,

    /// Format of the records [default: by the name of -o; jsonl; text if stdout is a terminal and there is
    /// no -o]
    #[arg(long, value_name = "FORM")]
    pub(crate) format: Option<RecordFormat>,

    /// Begin cells of CSV that a spreadsheet would take for formulas with an apostrophe
    #[arg(long)]
    pub(crate) csv_safe: bool,

    /// Write no records: the same as --format none
    #[arg(long, conflicts_with_all = ["format", "output"])]
    pub(crate) out_null: bool,

    /// Record events and decisions, without bodies and secrets, for fetch-all replay
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,

    /// Count statuses of 400 and above as failures, for the exit code
    #[arg(short, long)]
    pub(crate) fail: bool,

    /// Like -f, but also save the bodies of these responses
    #[arg(long, conflicts_with = "fail")]
    pub(crate) fail_with_body: bool,

    /// Stop at the first failure
    #[arg(long, conflicts_with = "max_errors")]
    pub(crate) fail_early: bool,

    /// Stop after this many failures
    #[arg(long, value_name = "N", value_parser = values::positive)]
    pub(crate) max_errors: Option<NonZeroU64>,

    /// No progress, no summary, no log on the console
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) silent: bool,

    /// No progress, no log on the console
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// No progress
    #[arg(long)]
    pub(crate) no_progress: bool,
}

impl OutputArgs {
    /// Whether statuses of 400 and above are failures.
    pub(crate) fn fails(&self) -> bool {
        self.fail || self.fail_with_body
    }

    /// The number of failures that stops the run.
    pub(crate) fn max_failures(&self) -> Option<NonZeroU64> {
        self.max_errors
            .or_else(|| self.fail_early.then_some(NonZeroU64::MIN))
    }
}
