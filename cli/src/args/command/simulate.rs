//! The options of `fetch-all simulate`.

use std::path::PathBuf;

use clap::{Args as Group, Parser};

use crate::args::explicit::ExplicitOptions;
use crate::args::{LimitArgs, PolicyArgs, RetryArgs, TimeoutArgs, values};

/// The built-in model.
pub(crate) const EXAMPLE_MODEL: &str = include_str!("../../commands/simulate/example.toml");

const EXAMPLES: &str = "\
Examples:
  fetch-all simulate                                     a built-in example
  fetch-all simulate --model site.toml --plot run.svg    your site, with a chart
  fetch-all simulate --model site.toml -j 500 --retry 5  what if?
  fetch-all simulate --model site.toml -i urls.txt       the list you will fetch
  fetch-all simulate --urls 1000000 --hosts 50 --json    a large run, as JSON";

const MODEL: &str = r#"The model is a TOML file. The built-in example:

%EXAMPLE%
Each [[host]] has a name and any of these keys. [default] has the same keys, for hosts that occur
only in a list. A top-level [[outage]] affects all hosts. Random numbers come from seed (default 1).
  urls              how many URLs [default: 1000]
  hosts             how many such hosts share them: 1.NAME, 2.NAME …
  latency           "20ms", "10ms..80ms", { mean }, { median, p99 } or { p50, p90, p99, max }
  errors            the share of requests answered with 500, such as "0.5%"
  unavailable       the share answered with 503
  resets, stalls    the share reset, or never answered
  throttle, burst   requests above a rate such as "100/s" get 429; a burst is allowed after a pause
  throttle_later    { from, rate }: another rate from a time on
  throttle_status   429 or 503, for requests above the throttle or the quota [default: 429]
  quota             requests above "100/m" within each minute get 429, at whatever speed they come
  retry_after       the Retry-After of every 503 and 429
  capacity          { workers, queue }: a request occupies a worker for its latency; when the queue
                    is full, 503. Workers finish even if the client has given up
  body, bandwidth   the size of a 200 response, and bytes per second: "200k"
  rejection         how long a 429 or 503 takes [default: "1ms"]
  [[host.outage]]   from, until, and how: "refuse", "stall", or "503", which may have retry_after

Nothing is sent, and time is virtual: a million URLs take seconds. The same model, options and seed
give the same output. Not modelled: DNS, TLS, redirects, your own bandwidth. The exit code is 0
whatever the outcomes are; 2 if the model, an option or a line is wrong; 3 if a file cannot be used;
20 after --deadline."#;

#[derive(Debug, Parser)]
#[command(
    max_term_width = 100,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{}", MODEL.replace("%EXAMPLE%", &indented_example())),
)]
pub(crate) struct SimulateArgs {
    #[command(flatten)]
    pub(crate) site: SimulatedSiteArgs,
    #[command(flatten)]
    pub(crate) explicit: ExplicitOptions,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) retry: RetryArgs,
    #[command(flatten)]
    pub(crate) timeouts: TimeoutArgs,
    #[command(flatten)]
    pub(crate) output: SimulationOutputArgs,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Site")]
pub(crate) struct SimulatedSiteArgs {
    /// TOML file of the hosts' behaviour [default: a built-in example, see --help;
    /// with -i hosts that answer in 10 to 100 ms]
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,

    /// URLs to fetch instead of those of the model, as in fetch-all -i; repeatable
    #[arg(short, long, value_name = "FILE|-")]
    pub(crate) input_file: Vec<PathBuf>,

    /// Number of URLs in all, shared by the hosts as in the model
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "input_file")]
    pub(crate) urls: Option<usize>,

    /// Number of hosts of each [[host]]
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "input_file")]
    pub(crate) hosts: Option<usize>,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct SimulationOutputArgs {
    /// Print JSON, with times in microseconds
    #[arg(long)]
    pub(crate) json: bool,

    /// Draw load, results and requests in flight over time as SVG
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
}

fn indented_example() -> String {
    let indent = |line: &str| match line {
        "" => "\n".to_owned(),
        line => format!("  {line}\n"),
    };
    EXAMPLE_MODEL.lines().map(indent).collect()
}
