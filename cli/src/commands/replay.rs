//! `fetch-all replay`: analyses a recording.

use std::fmt::Display;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use fetch_proto::EngineConfig;
use fetch_trace::{TraceEnd, TraceError};
use serde::Serialize;

use crate::args::command::{RECORDED_OPTIONS, ReplayArgs};
use crate::exit::{CliError, ExitStatus};
use crate::output::target::{print_stdout, print_text};
use crate::plan::policy::file;
use crate::plan::policy::options::OptionLayer;

/// Replays the recording, and returns the exit code.
///
/// # Errors
///
/// If options are wrong, or the file cannot be used.
pub(crate) fn run(args: &ReplayArgs) -> Result<u8, CliError> {
    let path = args.file.as_path();
    let file = File::open(path).map_err(|error| trace_error(path, &TraceError::from(error)))?;
    let file = BufReader::new(file);
    if args.explicit.contains_any(&RECORDED_OPTIONS) {
        return Err(CliError::usage(
            "--deadline and --seed cannot be changed: leave them out",
        ));
    }
    let policy = args.explicit.contains_any(&POLICY_OPTIONS);
    if policy && args.explain.is_some() {
        return Err(CliError::usage(
            "--explain shows the recorded decisions: leave out options that change them",
        ));
    }
    let to_error = |error: TraceError| trace_error(path, &error);
    if let Some(url) = &args.explain {
        let story = fetch_trace::explain(file, url).map_err(to_error)?;
        return print(args, &story, story.faithful, story.ending);
    }
    if policy {
        let mut failure = None;
        let comparison = fetch_trace::what_if(file, |recorded| {
            changed_config(recorded.clone(), args).unwrap_or_else(|error| {
                failure = Some(error);
                recorded
            })
        });
        let comparison = comparison.map_err(to_error)?;
        return match failure {
            Some(error) => Err(error),
            None => print(args, &comparison, comparison.faithful, comparison.ending),
        };
    }
    let report = fetch_trace::replay(file).map_err(to_error)?;
    print(args, &report, report.is_identical(), report.ending)
}

/// Prints the result, and returns the exit code.
fn print(
    args: &ReplayArgs,
    result: &(impl Display + Serialize),
    same: bool,
    ending: TraceEnd,
) -> Result<u8, CliError> {
    match args.json {
        true => {
            let text = serde_json::to_string(result).unwrap_or_default();
            print_stdout(format!("{text}\n").as_bytes())?;
        }
        false => print_text(&format!("{result}\n"))?,
    }
    Ok(match ending {
        _ if !same => ExitStatus::Internal as u8,
        TraceEnd::Damaged { .. } => ExitStatus::File as u8,
        _ => 0,
    })
}

fn trace_error(path: &Path, error: &TraceError) -> CliError {
    CliError::file(format!("{}: {error}", path.display()))
}

/// The options that a replay can change.
const POLICY_OPTIONS: [&str; 15] = [
    "concurrency",
    "connect_timeout",
    "host_max_wait",
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

/// The recorded configuration, changed by the policy file and the options.
fn changed_config(recorded: EngineConfig, args: &ReplayArgs) -> Result<EngineConfig, CliError> {
    let base = match &args.policy.policy {
        Some(path) => file::apply(&file::read(path)?, &recorded)?,
        None => recorded,
    };
    OptionLayer::new(&args.explicit, &args.limits, &args.retry, &args.timeouts).apply(base)
}
