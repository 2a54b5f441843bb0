//! The options.

pub(crate) mod command;
pub(crate) mod data;
mod format;
pub(crate) mod given;
pub(crate) mod monitor;
pub(crate) mod output;
mod polite;
mod route;
mod send;
mod session;
pub(crate) mod setup;
pub(crate) mod state;
mod tries;
mod url_column;
pub(crate) mod values;
pub(crate) mod version;
mod view;

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args as Group, CommandFactory, Parser, ValueEnum};
use fetch_proto::{Method, Pattern, Rate};

use crate::logging::LogFormat;
use command::Command;
use data::BodyOptions;
pub(crate) use format::Format;
use given::ExplicitOptions;
use monitor::MonitorOptions;
use polite::RobotsOptions;
use route::RouteOptions;
use send::RequestDetailOptions;
use session::SessionOptions;
use state::StateOptions;
use tries::RetryConditionOptions;
pub(crate) use url_column::UrlColumn;
use values::{HeaderOption, ResolveEntry};

const EXAMPLES: &str = "\
Examples:
  fetch-all --demo                                a tour on a site of its own
  fetch-all -i urls.txt -o records.jsonl          one record for each URL
  grep -o 'https://[^ ]*' log | fetch-all -i -    URLs as they come
  fetch-all -i urls.txt -j 50 --per-host 4 --host-rate 5/s --timeout /reports/=60
  fetch-all -i urls.txt --record run.trace        then: fetch-all replay run.trace --help
  fetch-all -i urls.txt -f --retry 5 | jq -r 'select(.outcome != \"ok\") | .url'";

const RECORDS: &str = "\
Records are JSON, one line for each URL, written when it ends: curl's names, seconds as floats
counted from the start of the first attempt, sizes in bytes, null for what is not known.
`outcome` is ok, http_error, dns, connect, tls, timeout, io, protocol, too_large, checksum, robots,
skipped, cancelled or invalid (a line that is no URL). `exitcode` is what curl would have ended with. `id` is a digest of
method, body and URL. `attempts` has every request that was sent. `size_request` and `size_header`
are always null in this version. `sha256` is the digest of the body, decoded, if bodies are kept or
checked; `filename_effective` is its file below --output-dir, or in which tar file.";

/// What `-h` shows; `--help` has all.
const ESSENTIAL: &str = "\
urls input_file demo dry_run policy concurrency per_host rate host_rate robots retry max_time timeout deadline \
method header data json user_agent user location insecure proxy output format output_dir fail silent report tui \
state verbose config help version";

/// The command line, whole.
pub(crate) fn command() -> clap::Command {
    let mut command = CliArgs::command();
    command.build();
    command.mut_args(|arg| {
        let mut essential = ESSENTIAL.split(' ');
        let rare = !essential.any(|id| arg.get_id() == id);
        arg.hide_short_help(rare)
    })
}

/// Fetches every URL of a list: fast, within limits, with retries.
#[derive(Debug, Parser)]
#[command(
    name = "fetch-all",
    version = crate::args::version::SHORT,
    long_version = crate::args::version::LONG,
    args_conflicts_with_subcommands = true,
    max_term_width = 100,
    after_help = format!("{EXAMPLES}\n\nThis is the half of it: --help has all options, exit codes, and what records hold."),
    after_long_help = format!("{EXAMPLES}\n\n{RECORDS}\n\n{}", crate::exit::TABLE),
)]
pub(crate) struct CliArgs {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) input: InputOptions,
    #[command(flatten)]
    pub(crate) given: ExplicitOptions,
    #[command(flatten)]
    pub(crate) policy: PolicyOptions,
    #[command(flatten)]
    pub(crate) speed: LimitOptions,
    #[command(flatten)]
    pub(crate) parallel: ThreadOptions,
    #[command(flatten)]
    pub(crate) polite: RobotsOptions,
    #[command(flatten)]
    pub(crate) retry: RetryOptions,
    #[command(flatten)]
    pub(crate) time: TimeoutOptions,
    #[command(flatten)]
    pub(crate) request: RequestOptions,
    #[command(flatten)]
    pub(crate) data: BodyOptions,
    #[command(flatten)]
    pub(crate) send: RequestDetailOptions,
    #[command(flatten)]
    pub(crate) session: SessionOptions,
    #[command(flatten)]
    pub(crate) net: NetworkOptions,
    #[command(flatten)]
    pub(crate) route: RouteOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    #[command(flatten)]
    pub(crate) view: view::ProgressOptions,
    #[command(flatten)]
    pub(crate) telling: output::ReportOptions,
    #[command(flatten)]
    pub(crate) save: output::SaveOptions,
    #[command(flatten)]
    pub(crate) state: StateOptions,
    #[command(flatten)]
    pub(crate) monitoring: MonitorOptions,
    #[command(flatten)]
    pub(crate) log: LogOptions,
    #[command(flatten)]
    pub(crate) setup: setup::SetupOptions,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputOptions {
    /// URLs to fetch, before those of files
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,

    /// File with a URL on each line, - for stdin; repeatable
    ///
    /// Empty lines and lines that begin with # are ignored. The file is read as the fetching goes
    /// on, so it may be of any length. A line that is not a URL is reported, counted, given a
    /// record, and does not stop the rest.
    #[arg(short, long, value_name = "FILE|-")]
    pub(crate) input_file: Vec<PathBuf>,

    /// What files are: lines, or rows that say more [default: by the name, as in list.csv.gz]
    ///
    /// csv and tsv: a first row that names the columns, one of them url, or --url-column. jsonl: an
    /// object on each line. parquet: columns as in csv. All may have body, checksum (sha256:…), id,
    /// method, out (the file's name), priority and timeout beside the url; jsonl also headers and
    /// body_base64. Files that are packed by gzip or Zstandard are unpacked.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "auto",
        hide_default_value = true
    )]
    pub(crate) input_format: InputFormat,

    /// Which column has the URL: its name, or its number from 1
    #[arg(long, value_name = "NAME|N", value_parser = UrlColumn::parse)]
    pub(crate) url_column: Option<UrlColumn>,

    /// The same as URL, or with @FILE as -i FILE; repeatable
    #[arg(long = "url", value_name = "URL|@FILE")]
    pub(crate) url: Vec<String>,

    /// Take {} and [] in URLs as they are; else {a,b}, [1-100], [01-10:3], [a-z] and {1..100} in
    /// arguments stand for many
    #[arg(short, long)]
    pub(crate) globoff: bool,

    /// Leave out what was in the list before: the same method, body and URL, or the same id
    ///
    /// The latest five million at least are remembered, in 300 MiB at most; --state DIR remembers all.
    #[arg(long)]
    pub(crate) dedupe: bool,

    /// Print what would be fetched, by hosts and rules, and fetch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Fetch a thousand URLs of a site that this command starts on loopback
    #[arg(long, conflicts_with_all = ["urls", "input_file", "url", "method", "head", "data", "json"])]
    #[arg(conflicts_with_all = ["data-binary", "data-raw", "data-urlencode"])]
    pub(crate) demo: bool,
}

/// What a list consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum InputFormat {
    #[value(hide = true)]
    Auto,
    Csv,
    Jsonl,
    Lines,
    Parquet,
    Tsv,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Policy")]
pub(crate) struct PolicyOptions {
    /// TOML file with limits, breakers, budgets and the policy of each URL: see fetch-all policy
    ///
    /// Options win over the environment (FETCH_ALL_POLICY_…), that over the file, that over the
    /// defaults. A run looks every second whether the file has changed, and takes over what is new;
    /// if it is no good, that is told and the old policy stays.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

/// What only a real run has.
#[derive(Debug, Group)]
#[command(next_help_heading = "Speed")]
pub(crate) struct ThreadOptions {
    /// Threads that fetch, each with connections of its own [default: as many as there are cores]
    ///
    /// Hosts are divided among them. With --rate, --record or a policy that limits all hosts together
    /// one thread does it all.
    #[arg(long, value_name = "N", value_parser = values::concurrency)]
    pub(crate) threads: Option<usize>,
}

#[derive(Clone, Debug, Group)]
#[command(next_help_heading = "Speed")]
pub(crate) struct LimitOptions {
    /// How many requests may be in flight at once
    #[arg(short = 'j', long, value_name = "N", default_value_t = 100, value_parser = values::concurrency)]
    #[arg(visible_alias = "parallel-max", aliases = ["max-concurrency", "jobs"])]
    pub(crate) concurrency: usize,

    /// How many at once at one host; 0 means no limit of its own
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = values::count)]
    #[arg(visible_alias = "parallel-max-host", alias = "host-concurrency")]
    pub(crate) per_host: usize,

    /// How fast requests may begin, such as 50/s, 10/m or 2/500ms
    #[arg(long, value_name = "N/UNIT")]
    pub(crate) rate: Option<Rate>,

    /// The same for each host
    #[arg(long, value_name = "N/UNIT")]
    pub(crate) host_rate: Option<Rate>,
}

#[derive(Clone, Debug, Group)]
#[command(next_help_heading = "Retries")]
pub(crate) struct RetryOptions {
    /// How often a failed request is tried again: after connection, DNS and timeout errors, and 408
    /// 425 429 500 502 503 504, if its method may be repeated
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::retries)]
    pub(crate) retry: u16,

    /// Wait this long before each retry [default: 1, 2, 4 … at most 30]
    ///
    /// Chance shortens a wait to between a half and all of it, unless --no-jitter is given. A
    /// server's Retry-After is never shortened.
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) retry_delay: Option<Duration>,

    /// Limit of a URL's whole time, retries and waits included; 0 means none [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) retry_max_time: Option<Duration>,

    /// The longest Retry-After to obey; a URL told to wait longer is not retried [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) max_retry_after: Option<Duration>,

    /// Make waits exact: leave chance out
    #[arg(long)]
    pub(crate) no_jitter: bool,

    /// Draw all chance from this number, so that runs can be compared
    #[arg(long, value_name = "N", conflicts_with = "no_jitter")]
    pub(crate) seed: Option<u64>,

    #[command(flatten)]
    pub(crate) tries: RetryConditionOptions,
}

#[derive(Clone, Debug, Group)]
#[command(next_help_heading = "Timeouts")]
pub(crate) struct TimeoutOptions {
    /// Limit of each attempt; 0 means none [default: 6, URLs with /delay/ 10, with /status/ 8]
    ///
    /// It begins when the attempt does; waiting for a free slot is not counted. When given it
    /// holds for all URLs that no --timeout matches.
    #[arg(short = 'm', long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) max_time: Option<Duration>,

    /// Limit of each attempt at URLs that match; the first match counts; repeatable
    ///
    /// PATTERN is a text that the URL contains, or glob:…, regex:…, host:… or method:…
    #[arg(long, value_name = "PATTERN=SECONDS", value_parser = values::pattern_timeout)]
    pub(crate) timeout: Vec<(Pattern, Duration)>,

    /// Limit of connecting, name lookup and TLS included; 0 means none [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) connect_timeout: Option<Duration>,

    /// Limit between two pieces of a body; 0 means none [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) read_timeout: Option<Duration>,

    /// Stop everything after this time, with exit code 20
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) deadline: Option<Duration>,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestOptions {
    /// Method [default: GET; POST with a body]
    #[arg(short = 'X', long = "request", visible_alias = "method", id = "method")]
    #[arg(value_name = "METHOD", value_parser = values::method)]
    pub(crate) method: Option<Method>,

    /// Ask for the head alone: the method HEAD
    #[arg(short = 'I', long, conflicts_with_all = ["method", "data", "json"])]
    #[arg(conflicts_with_all = ["data-binary", "data-raw", "data-urlencode"])]
    pub(crate) head: bool,

    /// Header field "Name: value"; "Name;" sends it empty, "Name:" leaves out a default; repeatable
    #[arg(short = 'H', long, value_name = "FIELD", value_parser = values::header)]
    pub(crate) header: Vec<HeaderOption>,

    /// The field User-Agent
    #[arg(short = 'A', long, value_name = "NAME")]
    pub(crate) user_agent: Option<String>,

    /// Basic authentication
    #[arg(short, long, value_name = "USER:PASSWORD", value_parser = values::user)]
    pub(crate) user: Option<String>,

    /// Follow redirects
    #[arg(short = 'L', long, visible_alias = "follow")]
    pub(crate) location: bool,

    /// How many redirects to follow with -L [default: 10]
    #[arg(long, value_name = "N", requires = "location", value_parser = values::redirects)]
    pub(crate) max_redirs: Option<u16>,

    /// Largest body after decoding, such as 500k, 64M or 2G [default: 64M]
    #[arg(long, value_name = "BYTES", value_parser = values::bytes)]
    pub(crate) max_filesize: Option<u64>,

    /// Ask for compressed bodies and decode them: the default
    #[arg(long, overrides_with = "no_compressed")]
    pub(crate) compressed: bool,

    /// Take bodies as they are, and ask for no compression
    #[arg(long, overrides_with = "compressed")]
    pub(crate) no_compressed: bool,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkOptions {
    /// Accept any TLS certificate: whoever is on the way can read and change everything
    #[arg(short = 'k', long)]
    pub(crate) insecure: bool,

    /// Trust the authorities in this PEM file too; repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Vec<PathBuf>,

    /// Use these addresses for a host instead of asking DNS; repeatable
    #[arg(long, value_name = "HOST:PORT:ADDR[,ADDR]", value_parser = values::resolve)]
    pub(crate) resolve: Vec<ResolveEntry>,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// File for the records, - for stdout
    #[arg(short, long, value_name = "FILE|-", value_parser = values::output)]
    pub(crate) output: Option<PathBuf>,

    /// What is written [default: jsonl; text if stdout is a terminal and there is no -o]
    #[arg(long, value_name = "FORM")]
    pub(crate) format: Option<Format>,

    /// Write no records: the same as --format none
    #[arg(long, conflicts_with_all = ["format", "output"])]
    pub(crate) out_null: bool,

    /// Record what was seen and decided, without bodies and secrets, for fetch-all replay
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,

    /// Count statuses of 400 and above as failures, for the exit code
    #[arg(short, long)]
    pub(crate) fail: bool,

    /// Stop at the first failure
    #[arg(long, conflicts_with = "max_errors")]
    pub(crate) fail_early: bool,

    /// Stop after so many failures
    #[arg(long, value_name = "N")]
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

#[derive(Debug, Group)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogOptions {
    /// More on the console: -v what happens, -vv decisions, -vvv everything
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Log to this file too, which rotates at 10 MiB [default without PATH: logs/app.log]
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = crate::logging::DEFAULT_FILE)]
    #[arg(value_parser = values::log_file)]
    pub(crate) log_file: Option<PathBuf>,

    /// off, error, warn, info, debug or trace, or TARGET=LEVEL,… [default: RUST_LOG; info in a
    /// file, error on the console]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,

    /// Form of the log
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

impl InputOptions {
    /// Whether a list comes from stdin.
    pub(crate) fn takes_stdin(&self) -> bool {
        let mut files = self.input_file.iter();
        files.any(|path| path.as_os_str() == "-") || self.url.iter().any(|url| url == "@-")
    }
}

impl OutputOptions {
    /// After how many failures to stop.
    pub(crate) fn failures(&self) -> Option<NonZeroU64> {
        self.max_errors
            .or_else(|| self.fail_early.then_some(NonZeroU64::MIN))
    }
}
