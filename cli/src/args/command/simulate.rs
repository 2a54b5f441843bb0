//! The options of `fetch-all simulate`.

use std::path::PathBuf;

use clap::{Args as Group, Parser};

use crate::args::given::ExplicitOptions;
use crate::args::{LimitOptions, PolicyOptions, RetryOptions, TimeoutOptions, values};

/// The built-in model.
pub(crate) const EXAMPLE: &str = include_str!("../../commands/simulate/example.toml");

const EXAMPLES: &str = "\
Examples:
  fetch-all simulate                                     a built-in example
  fetch-all simulate --model site.toml --plot run.svg    a site of yours, and a picture
  fetch-all simulate --model site.toml -j 500 --retry 5  what if?
  fetch-all simulate --model site.toml -i urls.txt       the list you mean to fetch
  fetch-all simulate --urls 1000000 --hosts 50 --json    large, for machines";

const MODEL: &str = r#"The model is a TOML file. The built-in example:

%EXAMPLE%
Each [[host]] has a name, and of these what it needs. [default] has the same for hosts that only
a list names, and [[outage]] at the top meets all hosts. Chance is drawn from seed (default 1).
  urls              how many URLs [default: 1000]
  hosts             how many such hosts they are spread over: 1.NAME, 2.NAME …
  latency           "20ms", "10ms..80ms", { mean }, { median, p99 } or { p50, p90, p99, max }
  errors            how many requests are answered 500, such as "0.5%"
  unavailable       the same for 503
  resets, stalls    how many are cut off, or never answered
  throttle, burst   what is faster than "100/s" gets 429, but so many at once after a rest
  retry_after       of every 503 and 429
  capacity          { workers, queue }: a request holds a worker for its latency; when the queue is
                    full, 503. Workers go on when the client has given up
  body, bandwidth   bytes of a good answer, and in a second: "200k"
  rejection         how long a refusal takes [default: "1ms"]
  [[host.outage]]   from, until, and how: "refuse", "stall", or "503", which may have retry_after

Nothing is sent and nothing waits: a million URLs take seconds. The same model, options and seed
give the same bytes. What the model does not have, the run has not: DNS, TLS, redirects, your own
bandwidth. The exit code is 0 however the fetches end; 2 if the model, an option or a line is wrong;
3 if a file cannot be used; 20 after --deadline."#;

/// Predict a run: the real engine in virtual time, against a modelled site.
#[derive(Debug, Parser)]
#[command(
    max_term_width = 100,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{}", MODEL.replace("%EXAMPLE%", &indented())),
)]
pub(crate) struct SimulateArgs {
    #[command(flatten)]
    pub(crate) site: SiteArgs,
    #[command(flatten)]
    pub(crate) given: ExplicitOptions,
    #[command(flatten)]
    pub(crate) policy: PolicyOptions,
    #[command(flatten)]
    pub(crate) speed: LimitOptions,
    #[command(flatten)]
    pub(crate) retry: RetryOptions,
    #[command(flatten)]
    pub(crate) time: TimeoutOptions,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Site")]
pub(crate) struct SiteArgs {
    /// How the hosts behave, a TOML file [default: a built-in example, see --help;
    /// with -i hosts that answer in 10 to 100 ms]
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,

    /// URLs to fetch instead of those of the model, as in fetch-all -i; repeatable
    #[arg(short, long, value_name = "FILE|-")]
    pub(crate) input_file: Vec<PathBuf>,

    /// How many URLs in all, shared by the hosts as in the model
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "input_file")]
    pub(crate) urls: Option<usize>,

    /// How many hosts of each kind
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "input_file")]
    pub(crate) hosts: Option<usize>,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Print JSON, for machines: times in microseconds
    #[arg(long)]
    pub(crate) json: bool,

    /// Draw load, results and requests in flight over time
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
}

fn indented() -> String {
    let indent = |line: &str| match line {
        "" => "\n".to_owned(),
        line => format!("  {line}\n"),
    };
    EXAMPLE.lines().map(indent).collect()
}
