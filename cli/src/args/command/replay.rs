//! The options of `fetch-all replay`.

use std::path::PathBuf;

use clap::{Arg, Args as Group};

use crate::args::explicit::ExplicitOptions;
use crate::args::{LimitArgs, PolicyArgs, RetryArgs, TimeoutArgs};

/// Options that a replay cannot change.
pub(crate) const RECORDED_OPTIONS: [&str; 2] = ["deadline", "seed"];

const EXAMPLES: &str = "\
Examples:
  fetch-all -i urls.txt --record run.trace              record a run
  fetch-all replay run.trace                            verify that the same decisions are made
  fetch-all replay run.trace --retry 5 --per-host 4     what if the run had used other limits?
  fetch-all replay run.trace --explain http://a.test/x  every decision for one URL, with its reason";

const EXIT: &str = "\
Exit codes:
  0  identical, or the question was answered; also if the file is truncated, which is reported
  1  a decision differs
  2  wrong options
  3  the file cannot be read, is damaged, or is not a recording";

#[derive(Debug, Group)]
#[command(
    max_term_width = 100,
    mut_args(hide_default),
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT}"),
)]
pub(crate) struct ReplayArgs {
    // The first field: it reads the matches before the other fields remove them.
    #[command(flatten)]
    pub(crate) explicit: ExplicitOptions,

    /// The recording, made with --record
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Explain this URL: every decision from queue to outcome, with its reason
    #[arg(long, value_name = "URL")]
    pub(crate) explain: Option<String>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) retry: RetryArgs,
    #[command(flatten)]
    pub(crate) timeouts: TimeoutArgs,
}

/// Hides default values: an option that is not given stays as recorded.
fn hide_default(option: Arg) -> Arg {
    if RECORDED_OPTIONS.contains(&option.get_id().as_str()) {
        return option.hide(true);
    }
    match option.get_action().takes_values() {
        true => option.hide_default_value(true),
        false => option,
    }
}
