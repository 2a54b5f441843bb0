//! `fetch-all simulate`: the real engine in virtual time, against a modelled site.

mod fields;
mod json;
mod list;
mod model;
mod plot;
mod report;
mod server;

use std::io::Write;
use std::path::PathBuf;

use clap::Parser;
use fetch_proto::testing::Summary;

use crate::args::{self, values};
use crate::exit::{Code, Stop};
use crate::given::Given;
use crate::plan;
use crate::toml_file::Document;
use list::Urls;
use model::Model;

const EXAMPLE: &str = include_str!("simulate/example.toml");

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
pub(crate) struct Args {
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    policy: args::PolicyOption,
    #[command(flatten)]
    speed: args::Speed,
    #[command(flatten)]
    retry: args::Retry,
    #[command(flatten)]
    time: args::Time,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Site")]
struct Site {
    /// How the hosts behave, a TOML file [default: a built-in example, see --help;
    /// with -i hosts that answer in 10 to 100 ms]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// URLs to fetch instead of those of the model, as in fetch-all -i; repeatable
    #[arg(short, long, value_name = "FILE|-")]
    input_file: Vec<PathBuf>,

    /// How many URLs in all, shared by the hosts as in the model
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "input_file")]
    urls: Option<usize>,

    /// How many hosts of each kind
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "input_file")]
    hosts: Option<usize>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct Output {
    /// Print JSON, for machines: times in microseconds
    #[arg(long)]
    json: bool,

    /// Draw load, results and requests in flight over time
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

fn indented() -> String {
    let indent = |line: &str| match line {
        "" => "\n".to_owned(),
        line => format!("  {line}\n"),
    };
    EXAMPLE.lines().map(indent).collect()
}

/// What came out, and what is to be told with it.
struct Report<'a> {
    /// Whether `--deadline` ended it.
    cut: bool,
    is_example: bool,
    model: &'a Model,
    seed: u64,
    source: &'a str,
    summary: &'a Summary,
}

/// Simulates, and prints the report.
///
/// # Errors
///
/// If the model or an option is wrong, or a file cannot be used.
pub(crate) fn run(args: Args) -> Result<u8, Stop> {
    let (source, document) = source(&args.site)?;
    let is_example = args.site.model.is_none() && args.site.input_file.is_empty();
    let model = Model::new(&document, args.site.urls, args.site.hosts)?;
    let mut urls = Urls::new(&model, args.site.input_file)?;
    let seed = args.retry.seed.or(model.seed).unwrap_or(1);
    let deadline = args.time.deadline.filter(|limit| !limit.is_zero());
    let config = plan::config(&args.policy, args.given, args.speed, args.retry, args.time)?;
    let mut simulation = model.simulation(config, seed);
    if let Some(limit) = deadline {
        simulation = simulation.deadline(limit);
    }
    let summary = simulation.run(&mut urls);
    let cut = deadline.is_some_and(|limit| summary.took >= limit);
    let report = Report {
        cut,
        is_example,
        model: &model,
        seed,
        source: &source,
        summary: &summary,
    };
    if let Some(path) = &args.output.plot {
        plot::draw(path, &report)?;
    }
    let text = match args.output.json {
        true => json::text(&report).map_err(Stop::internal)?,
        false => report::Text(&report, args.output.plot.as_deref()).to_string(),
    };
    // Who reads it may have enough: that is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let code = urls.worst().or_else(|| cut.then_some(Code::Unfinished));
    Ok(code.map_or(0, |code| code as u8))
}

/// The model's text, and what the report calls it.
fn source(site: &Site) -> Result<(String, Document), Stop> {
    Ok(match &site.model {
        Some(path) => {
            let name = crate::show::shown(path.as_os_str().as_encoded_bytes());
            (name, Document::read("--model", path)?)
        }
        None if !site.input_file.is_empty() => (
            "a list, without a model (10 to 100 ms, no errors),".to_owned(),
            Document::new("no model", ""),
        ),
        None => (
            "the built-in example".to_owned(),
            Document::new("built-in example", EXAMPLE),
        ),
    })
}
