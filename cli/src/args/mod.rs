//! The options.

mod client;
pub(crate) mod command;
pub(crate) mod explicit;
mod input;
pub(crate) mod output;
mod setup;
pub(crate) mod values;
pub(crate) mod version;

use clap::{Arg, ArgAction, CommandFactory, Parser};

pub(crate) use client::{
    AuthArgs, BodyArgs, BodyPartKind, CacheArgs, CachePlace, ConditionArgs, FormArgs, LimitArgs,
    NetworkArgs, PolicyArgs, RequestArgs, RequestDetailArgs, RetryArgs, RetryConditionArgs,
    RetryConditions, RobotsArgs, RouteArgs, SessionArgs, ThreadArgs, TimeoutArgs, UploadArgs,
    cache_place,
};
use command::Command;
use explicit::ExplicitOptions;
pub(crate) use input::{InputArgs, InputFormat, UrlColumn};
pub(crate) use output::{
    LogArgs, MonitorArgs, OutputArgs, ProgressArgs, ReportArgs, SaveArgs, StateArgs,
};
pub(crate) use setup::{GeneratedFile, SetupArgs};

const EXAMPLES: &str = "\
Examples:
  fetch-all --demo                                a tour with a local test site
  fetch-all -i urls.txt -o records.jsonl          one record per URL
  grep -o 'https://[^ ]*' log | fetch-all -i -    URLs from a pipe
  fetch-all -i urls.txt -j 50 --per-host 4 --host-rate 5/s --timeout /reports/=60
  fetch-all -i urls.txt --record run.trace        then: fetch-all replay run.trace --help
  fetch-all -i urls.txt -f --retry 5 | jq -r 'select(.outcome != \"ok\") | .url'";

const RECORDS: &str = "\
Records are JSON, one line per URL, written when its fetch ends: curl's names, times in seconds
from the start of the first attempt, sizes in bytes, null if unknown. `outcome` is ok, http_error,
dns, connect, tls, timeout, io, protocol, too_large, checksum, robots, skipped, cancelled or
invalid (the line is not a URL). `exitcode` is the exit code of curl for the same failure. `id` is
a digest of method, body and URL. `attempts` lists every request that was sent. `size_request` and
`size_header` are always null in this version. `sha256` is the digest of the decoded body, if
bodies are saved or digested; `filename_effective` is its file below --output-dir, or in its tar
file.";

/// The options that `-h` shows; `--help` shows all.
const COMMON_OPTIONS: &str = "\
urls input_file demo dry_run policy concurrency per_host rate host_rate robots retry max_time timeout deadline \
method header data json user_agent user location insecure proxy output format output_dir fail silent report tui \
state verbose config help version";

/// All options, as help shows them.
pub(crate) fn command() -> clap::Command {
    let mut command = options();
    command.build();
    command
}

/// The parser of the command line. Each flag also has its opposite, such as `--no-fail`, and of an option
/// that is given twice the last counts.
pub(crate) fn parser() -> clap::Command {
    let mut command = options().args_override_self(true);
    let flags = command.get_arguments().filter_map(|arg| {
        let is_flag = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count);
        let name = arg.get_long().filter(|_| is_flag).map(opposite)?;
        Some((arg.get_id().clone(), name))
    });
    let is_new = |name: &str| {
        !command
            .get_arguments()
            .any(|arg| arg.get_long() == Some(name))
    };
    let flags: Vec<_> = flags.filter(|(_, name)| is_new(name)).collect();
    for (id, name) in flags {
        let opposite = Arg::new(name.clone())
            .long(name.clone())
            .action(ArgAction::SetTrue)
            .hide(true)
            .overrides_with(id.clone());
        command = command
            .mut_arg(id, |arg| arg.overrides_with(name))
            .arg(opposite);
    }
    command.build();
    command
}

fn options() -> clap::Command {
    let curl_file = Arg::new("curl_config")
        .short('K')
        .value_name("FILE|-")
        .action(ArgAction::Append)
        .help("File of options in curl's syntax, - for stdin; repeatable")
        .help_heading("Setup");
    CliArgs::command().arg(curl_file).mut_args(|arg| {
        let mut common = COMMON_OPTIONS.split(' ');
        let is_rare = !common.any(|id| arg.get_id() == id);
        arg.hide_short_help(is_rare)
    })
}

/// The name of the flag that switches this one off.
pub(crate) fn opposite(long: &str) -> String {
    long.strip_prefix("no-")
        .map_or_else(|| format!("no-{long}"), str::to_owned)
}

/// Fetches every URL of a list: fast, within limits, with retries.
#[derive(Debug, Parser)]
#[command(
    name = "fetch-all",
    version = version::SHORT,
    long_version = version::LONG,
    args_conflicts_with_subcommands = true,
    max_term_width = 100,
    after_help = format!("{EXAMPLES}\n\nCommon options. `--help` lists all of them, exit codes, and the fields of records."),
    after_long_help = format!("{EXAMPLES}\n\n{RECORDS}\n\n{}", crate::exit::EXIT_CODES),
)]
pub(crate) struct CliArgs {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) explicit: ExplicitOptions,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    #[command(flatten)]
    pub(crate) robots: RobotsArgs,
    #[command(flatten)]
    pub(crate) retry: RetryArgs,
    #[command(flatten)]
    pub(crate) timeouts: TimeoutArgs,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    #[command(flatten)]
    pub(crate) body: BodyArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
    #[command(flatten)]
    pub(crate) upload: UploadArgs,
    #[command(flatten)]
    pub(crate) request_detail: RequestDetailArgs,
    #[command(flatten)]
    pub(crate) condition: ConditionArgs,
    #[command(flatten)]
    pub(crate) auth: AuthArgs,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
    #[command(flatten)]
    pub(crate) route: RouteArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    #[command(flatten)]
    pub(crate) save: SaveArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) monitor: MonitorArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) setup: SetupArgs,
}
