//! `fetch-all replay`: what a recording tells.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use fetch_proto::Config;
use fetch_trace::{Ending, TraceError};
use serde::Serialize;

use crate::args::command::{RECORDED_OPTIONS, ReplayArgs};
use crate::exit::{CliError, ExitStatus};
use crate::plan::policy::{file, overlay};

/// Replays, and says what to exit with.
///
/// # Errors
///
/// If options are wrong, or the file cannot be used.
pub(crate) fn run(args: &ReplayArgs) -> Result<u8, CliError> {
    let path = args.file.as_path();
    let file = File::open(path).map_err(|error| stop(path, &TraceError::from(error)))?;
    let file = BufReader::new(file);
    if args.explicit.contains_any(&RECORDED_OPTIONS) {
        return Err(CliError::usage(
            "--deadline and --seed are as recorded: leave them out",
        ));
    }
    let policy = args.explicit.contains_any(&POLICY);
    if policy && args.explain.is_some() {
        return Err(CliError::usage(
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
fn tell(args: &ReplayArgs, result: &(impl Display + Serialize), same: bool, ending: Ending) -> u8 {
    let text = match args.json {
        true => serde_json::to_string(result).unwrap_or_default(),
        false => result.to_string(),
    };
    // Whoever reads it may have enough.
    let _ = writeln!(std::io::stdout(), "{text}");
    match ending {
        _ if !same => ExitStatus::Internal as u8,
        Ending::Damaged { .. } => ExitStatus::File as u8,
        _ => 0,
    }
}

fn stop(path: &Path, error: &TraceError) -> CliError {
    CliError::file(format!("{}: {error}", path.display()))
}

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
fn other(recorded: Config, args: &ReplayArgs) -> Result<Config, CliError> {
    let base = match &args.policy.policy {
        Some(path) => file::load(path, &recorded)?,
        None => recorded,
    };
    overlay::config(
        &args.explicit,
        base,
        &args.limits,
        &args.retry,
        &args.timeouts,
    )
}
