//! The options of `fetch-all replay`.

use std::path::PathBuf;

use clap::{Arg, Args as Group};

use crate::args::given::ExplicitOptions;
use crate::args::{LimitOptions, PolicyOptions, RetryOptions, TimeoutOptions};

/// Options of a run that a recording has once and for all.
pub(crate) const FIXED: [&str; 2] = ["deadline", "seed"];

const EXAMPLES: &str = "\
Examples:
  fetch-all -i urls.txt --record run.trace              record a run
  fetch-all replay run.trace                            does the core decide the same again?
  fetch-all replay run.trace --retry 5 --per-host 4     what would these options have come to?
  fetch-all replay run.trace --explain http://a.test/x  one URL's story, with every reason";

const EXIT: &str = "\
Exit codes:
  0  identical, or the question was answered; also if the file was cut off, which is told
  1  a decision came out otherwise
  2  wrong options
  3  the file cannot be read, is damaged, or is no recording";

/// Replays a recording: the core alone, without a network, is told what it was told.
///
/// Without other options it proves that every decision comes out again, bit for bit. With options of
/// speed, retries or timeouts it asks what these would have come to; others stay as recorded. Where
/// the recording cannot know, a range is given.
#[derive(Debug, Group)]
#[command(
    max_term_width = 100,
    mut_args(without_default),
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT}"),
)]
pub(crate) struct ReplayArgs {
    // First, for what is read after it is taken away.
    #[command(flatten)]
    pub(crate) given: ExplicitOptions,

    /// The recording, made with --record
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Tell the story of this URL, from queue to outcome, with the reason of every decision
    #[arg(long, value_name = "URL")]
    pub(crate) explain: Option<String>,

    /// Write JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) policy: PolicyOptions,
    #[command(flatten)]
    pub(crate) speed: LimitOptions,
    #[command(flatten)]
    pub(crate) retry: RetryOptions,
    #[command(flatten)]
    pub(crate) time: TimeoutOptions,
}

/// What is not given stays as recorded, so the defaults of a run would mislead.
fn without_default(option: Arg) -> Arg {
    if FIXED.contains(&option.get_id().as_str()) {
        return option.hide(true);
    }
    match option.get_action().takes_values() {
        true => option.hide_default_value(true),
        false => option,
    }
}
