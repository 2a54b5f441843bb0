//! `fetch-all replay`: what a recording tells.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, FromArgMatches};
use fetch_proto::{Config, Policy, RetryAfter, Rules, Timeouts};
use fetch_trace::{Ending, TraceError};
use serde::Serialize;

use crate::args::{Retry, Speed, Time};
use crate::exit::{Code, Stop};
use crate::plan::rules::{backoff, limited};

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
const POLICY: [&str; 13] = [
    "concurrency",
    "connect_timeout",
    "host_rate",
    "max_retry_after",
    "max_time",
    "no_jitter",
    "per_host",
    "rate",
    "read_timeout",
    "retry",
    "retry_delay",
    "retry_max_time",
    "timeout",
];

/// Which options are on the command line, and do not just have their defaults.
#[derive(Debug)]
struct Given(Vec<String>);

impl Given {
    fn any(&self, options: &[&str]) -> bool {
        self.0.iter().any(|given| options.contains(&given.as_str()))
    }

    /// The value, if it was given.
    fn of<T>(&self, option: &str, value: T) -> Option<T> {
        self.any(&[option]).then_some(value)
    }
}

/// As an argument group without an argument of its own, it sees those of the others.
impl clap::Args for Given {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let ids = matches.ids().map(clap::Id::as_str);
        Ok(Self(ids.filter(given).map(str::to_owned).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The settings to compare with: those that were recorded, changed by the options that are given.
/// This is the place to begin from the settings of a policy file instead.
fn other(recorded: Config, args: &Args) -> Result<Config, Stop> {
    let rules = recorded.rules_ref().map(|policy| changed(policy, args));
    let rules = with_patterns(rules, args)?;
    let mut config = recorded.rules(rules);
    if let Some(attempts) = args.given.of("concurrency", args.speed.concurrency) {
        config = config.concurrency(attempts);
    }
    if let Some(attempts) = args.given.of("per_host", args.speed.per_host) {
        config = config.per_host(attempts);
    }
    if let Some(rate) = args.speed.rate {
        config = config.rate(rate);
    }
    if let Some(rate) = args.speed.host_rate {
        config = config.host_rate(rate);
    }
    Ok(config)
}

/// A policy, changed by the options that are given.
fn changed(policy: Policy, args: &Args) -> Policy {
    let (retry, time) = (&args.retry, &args.time);
    let old = *policy.timeouts_ref();
    let or = |option: Option<Duration>, old| option.map_or(old, limited);
    let mut policy = policy.timeouts(Timeouts {
        attempt: or(time.max_time, old.attempt),
        connect: or(time.connect_timeout, old.connect),
        idle_read: or(time.read_timeout, old.idle_read),
        total: or(retry.retry_max_time, old.total),
        ..old
    });
    if let Some(retries) = args.given.of("retry", retry.retry) {
        policy = policy.attempts(retries.saturating_add(1));
    }
    if let Some(cap) = retry.max_retry_after {
        policy = policy.retry_after(RetryAfter {
            cap,
            ..RetryAfter::DEFAULT
        });
    }
    if retry.retry_delay.is_some() || retry.no_jitter {
        policy = policy.backoff(backoff(retry));
    }
    policy
}

/// The rules, after those of `--timeout`.
fn with_patterns(rules: Rules, args: &Args) -> Result<Rules, Stop> {
    if args.time.timeout.is_empty() {
        return Ok(rules);
    }
    let base = rules.default_policy();
    let mut builder = Rules::builder();
    for (pattern, limit) in &args.time.timeout {
        let policy = Policy::clone(base);
        let timeouts = Timeouts {
            attempt: limited(*limit),
            ..*policy.timeouts_ref()
        };
        builder = builder.rule(pattern.clone(), policy.timeouts(timeouts));
    }
    for (pattern, policy) in rules.iter() {
        builder = builder.rule(pattern.clone(), policy.clone());
    }
    let built = builder.default(base.clone()).build();
    built.map_err(|error| Stop::usage(format!("--timeout: {error}")))
}
