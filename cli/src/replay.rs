//! `fetch-all replay`: what a recording tells.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use clap::Arg;
use fetch_proto::Config;
use fetch_trace::{Ending, TraceError};
use serde::Serialize;

use crate::args::{PolicyOption, Retry, Speed, Time};
use crate::exit::{Code, Stop};
use crate::given::Given;

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
#[derive(Debug, clap::Args)]
#[command(
    max_term_width = 100,
    mut_args(without_default),
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT}"),
)]
pub(crate) struct Args {
    // First, for what is read after it is taken away.
    #[command(flatten)]
    given: Given,

    /// The recording, made with --record
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Tell the story of this URL, from queue to outcome, with the reason of every decision
    #[arg(long, value_name = "URL")]
    explain: Option<String>,

    /// Write JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    policy: PolicyOption,
    #[command(flatten)]
    speed: Speed,
    #[command(flatten)]
    retry: Retry,
    #[command(flatten)]
    time: Time,
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

/// Replays, and says what to exit with.
///
/// # Errors
///
/// If options are wrong, or the file cannot be used.
pub(crate) fn run(args: &Args) -> Result<u8, Stop> {
    let path = args.file.as_path();
    let file = File::open(path).map_err(|error| stop(path, &TraceError::from(error)))?;
    let file = BufReader::new(file);
    if args.given.any(&FIXED) {
        return Err(Stop::usage(
            "--deadline and --seed are as recorded: leave them out",
        ));
    }
    let policy = args.given.any(&POLICY);
    if policy && args.explain.is_some() {
        return Err(Stop::usage(
            "--explain tells what was recorded: leave out the options of another policy",
        ));
    }
    let stopped = |error: TraceError| stop(path, &error);
    if let Some(url) = &args.explain {
        let story = fetch_trace::explain(file, url).map_err(stopped)?;
        return Ok(tell(args, &story, story.faithful, story.ending));
    }
    if policy {
        let mut wrong = None;
        let comparison = fetch_trace::what_if(file, |recorded| {
            other(recorded.clone(), args).unwrap_or_else(|stop| {
                wrong = Some(stop);
                recorded
            })
        });
        let comparison = comparison.map_err(stopped)?;
        return match wrong {
            Some(stop) => Err(stop),
            None => Ok(tell(
                args,
                &comparison,
                comparison.faithful,
                comparison.ending,
            )),
        };
    }
    let report = fetch_trace::replay(file).map_err(stopped)?;
    Ok(tell(args, &report, report.is_identical(), report.ending))
}

/// Prints the result, and gives the exit code.
fn tell(args: &Args, result: &(impl Display + Serialize), same: bool, ending: Ending) -> u8 {
    let text = match args.json {
        true => serde_json::to_string(result).unwrap_or_default(),
        false => result.to_string(),
    };
    // Whoever reads it may have enough.
    let _ = writeln!(std::io::stdout(), "{text}");
    match ending {
        _ if !same => Code::Internal as u8,
        Ending::Damaged { .. } => Code::File as u8,
        _ => 0,
    }
}

fn stop(path: &Path, error: &TraceError) -> Stop {
    Stop::file(format!("{}: {error}", path.display()))
}

/// Options of a run that a recording has once and for all.
const FIXED: [&str; 2] = ["deadline", "seed"];

/// The options that make another policy.
const POLICY: [&str; 14] = [
    "concurrency",
    "connect_timeout",
    "host_rate",
    "max_retry_after",
    "max_time",
    "no_jitter",
    "per_host",
    "policy",
    "rate",
    "read_timeout",
    "retry",
    "retry_delay",
    "retry_max_time",
    "timeout",
];

/// The settings to compare with: those that were recorded, changed by the policy file, if there is
/// one, and by the options that are given.
fn other(recorded: Config, args: &Args) -> Result<Config, Stop> {
    let base = match &args.policy.policy {
        Some(path) => crate::policy::over(path, &recorded)?,
        None => recorded,
    };
    args.given.over(base, &args.speed, &args.retry, &args.time)
}
