//! The options of the commands for many workers: `plan`, `work`, `status`, `collect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Resettable;
use clap::{Arg, Args as Group};

use crate::args::explicit::ExplicitOptions;
use crate::args::{
    AuthArgs, InputFormat, LimitArgs, NetworkArgs, PolicyArgs, RequestArgs, RequestDetailArgs,
    RetryArgs, RouteArgs, ThreadArgs, TimeoutArgs, UrlColumn, values,
};
use crate::outcome::recorded_body::RecordedForm;

const PLAN_EXAMPLES: &str = "\
Examples:
  fetch-all plan -i urls.txt --queue redis://10.0.0.1 --results /shared/run
  fetch-all work --queue redis://10.0.0.1 --results /shared/run     on each machine
  fetch-all status --queue redis://10.0.0.1 --results /shared/run
  fetch-all collect --results /shared/run -o records.jsonl";

/// Where a run for many workers is.
#[derive(Clone, Debug, Group)]
pub(crate) struct QueueArgs {
    /// The Redis server that leases partitions to workers, 7.0 or later: redis://HOST[:PORT][/DATABASE]
    #[arg(long, value_name = "URL")]
    pub(crate) queue: String,
}

/// The store of a run for many workers.
#[derive(Clone, Debug, Group)]
pub(crate) struct ResultsArgs {
    /// A directory that all machines share, or s3://BUCKET/PREFIX: for the list and the records
    #[arg(long, value_name = "DIR|s3://…")]
    pub(crate) results: String,
}

#[derive(Debug, Group)]
#[command(max_term_width = 100, after_help = PLAN_EXAMPLES)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) queue: QueueArgs,
    #[command(flatten)]
    pub(crate) results: ResultsArgs,

    /// File with one URL per line, or one JSON object per line, - for stdin; repeatable
    #[arg(short, long, value_name = "FILE|-", value_parser = values::list_file)]
    #[arg(required_unless_present = "resume")]
    pub(crate) input_file: Vec<PathBuf>,

    /// Format of the files: lines or jsonl [default: by the name, as in list.jsonl.gz]
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "auto",
        hide_default_value = true
    )]
    pub(crate) input_format: InputFormat,

    /// Key of the URL in jsonl
    #[arg(long, value_name = "NAME", value_parser = UrlColumn::parse)]
    pub(crate) url_column: Option<UrlColumn>,

    /// Parts of the list that workers lease; all URLs of a host are in one of them
    ///
    /// Take at least ten times as many as workers, so that those which end early find more to do.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) partitions: u32,

    /// How long a lease lasts in seconds: a worker that ends unexpectedly is replaced after this time
    #[arg(long, value_name = "SECONDS", default_value = "40", value_parser = values::seconds)]
    pub(crate) lease: Duration,

    /// Queue what is not complete again, after the queue lost it; the list is not read
    ///
    /// Waits for the time of a lease first, if the queue does not know the run, because workers may still
    /// hold partitions.
    #[arg(long, conflicts_with_all = ["input_file", "partitions", "lease", "url_column"])]
    pub(crate) resume: bool,
}

#[derive(Debug, Group)]
#[command(max_term_width = 100, mut_args(without_bodies))]
pub(crate) struct WorkArgs {
    // The first field: it reads the matches before the other fields remove them.
    #[command(flatten)]
    pub(crate) explicit: ExplicitOptions,
    #[command(flatten)]
    pub(crate) queue: QueueArgs,
    #[command(flatten)]
    pub(crate) results: ResultsArgs,

    /// Include the response's header fields in each record, as `header_json`
    #[arg(long)]
    pub(crate) record_headers: bool,

    /// Include the response's body in each record, as `body`
    #[arg(long, value_name = "FORM")]
    pub(crate) record_body: Option<RecordedForm>,

    /// Size of the longest body in a record, such as 200k or 8M, at most 64M
    #[arg(long, value_name = "BYTES", default_value = "1M", value_parser = values::recorded_bytes)]
    pub(crate) record_body_max: u64,

    /// HTTP statuses of 400 and above are failures
    #[arg(short, long)]
    pub(crate) fail: bool,

    /// Print nothing but errors
    #[arg(short, long)]
    pub(crate) silent: bool,

    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    #[command(flatten)]
    pub(crate) retry: RetryArgs,
    #[command(flatten)]
    pub(crate) timeouts: TimeoutArgs,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    #[command(flatten)]
    pub(crate) request_detail: RequestDetailArgs,
    #[command(flatten)]
    pub(crate) auth: AuthArgs,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
    #[command(flatten)]
    pub(crate) route: RouteArgs,
}

#[derive(Debug, Group)]
#[command(max_term_width = 100)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) queue: QueueArgs,
    #[command(flatten)]
    pub(crate) results: ResultsArgs,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Group)]
#[command(max_term_width = 100)]
pub(crate) struct CollectArgs {
    #[command(flatten)]
    pub(crate) results: ResultsArgs,

    /// File for the records, in JSONL [default: stdout]
    #[arg(short, long, value_name = "FILE", value_parser = values::path)]
    pub(crate) output: Option<PathBuf>,
}

/// Removes conflicts with options of bodies, which `work` does not have.
fn without_bodies(option: Arg) -> Arg {
    match option.get_id() == "head" {
        true => option
            .conflicts_with(Resettable::Reset)
            .conflicts_with("method"),
        false => option,
    }
}
