//! `fetch-all plan`.

use std::io::{self, Write};
use std::thread;

use fetch_scale::{
    ListPartitioner, PartitionLog, PartitionSize, Queue, RedisQueue, Results, RunDescription,
    ScaleError,
};

use super::{MIN_LEASE, load_run, open_queue, open_results, queue_error, results_error};
use crate::args::command::PlanArgs;
use crate::args::{CliArgs, version};
use crate::display::plural;
use crate::exit::CliError;
use crate::input;

/// Why a list cannot be divided.
enum PlanError {
    List(io::Error),
    Store(ScaleError),
}

impl From<io::Error> for PlanError {
    fn from(error: io::Error) -> Self {
        Self::List(error)
    }
}

/// Divides the list and queues the partitions, or with `--resume` queues those again that are not complete.
///
/// # Errors
///
/// If the list cannot be read, the store or the queue cannot be used, or a run is there already.
pub(crate) fn run(args: &PlanArgs) -> Result<u8, CliError> {
    let results = open_results(&args.results.results)?;
    let (run, mut queue, partitions) = match args.resume {
        true => resume(args, &results)?,
        false => plan(args, &results)?,
    };
    let added = queue
        .add(&partitions)
        .map_err(|error| queue_error(&error))?;
    let lines = plural(run.lines(), "URL", "URLs");
    let added = plural(added, "partition", "partitions");
    let _ = writeln!(io::stderr(), "{lines}: {added} queued");
    Ok(0)
}

type Planned = (RunDescription, RedisQueue, Vec<u32>);

fn plan(args: &PlanArgs, results: &Results) -> Result<Planned, CliError> {
    if args.lease < MIN_LEASE {
        return Err(CliError::usage("--lease: write at least 1 second"));
    }
    let exists = |_: &_| {
        CliError::usage(format!(
            "--results {}: a run is planned here already: write --resume to queue again what is not complete, \
             or another place for another list",
            args.results.results
        ))
    };
    match RunDescription::load(results) {
        Ok(run) => return Err(exists(&run)),
        Err(ScaleError::Missing(_)) => {}
        Err(error) => return Err(results_error(&error)),
    }
    // The queue is checked before the list is read.
    let probe = RunDescription::new(version::SHORT, args.lease, Vec::new());
    let mut queue = open_queue(&args.queue.queue, &probe, "plan")?;
    queue.ping().map_err(|error| queue_error(&error))?;
    let sizes = divide(args, results)?;
    let run = RunDescription {
        is_jsonl: is_jsonl(args)?,
        url_column: args.url_column.as_ref().and_then(column_name),
        partitions: sizes,
        ..probe
    };
    run.create(results).map_err(|error| match error {
        ScaleError::Exists(_) => exists(&run),
        error => results_error(&error),
    })?;
    let has_lines = |size: &&(u32, &PartitionSize)| size.1.lines > 0;
    let partitions = (0..).zip(&run.partitions);
    let partitions = partitions.filter(|size| has_lines(&size)).map(|(n, _)| n);
    let partitions = partitions.collect();
    Ok((run, queue, partitions))
}

fn column_name(column: &crate::args::UrlColumn) -> Option<String> {
    match column {
        crate::args::UrlColumn::Named(name) => Some(name.clone()),
        crate::args::UrlColumn::Number(_) => None,
    }
}

/// The sources of the list.
fn open_list(args: &PlanArgs) -> Result<input::UrlList, CliError> {
    use clap::Parser;

    let defaults = CliArgs::try_parse_from(["fetch-all"]).map_err(CliError::internal)?;
    input::open(&crate::args::InputArgs {
        input_file: args.input_file.clone(),
        input_format: args.input_format,
        url_column: args.url_column.clone(),
        ..defaults.input
    })
}

fn is_jsonl(args: &PlanArgs) -> Result<bool, CliError> {
    let kinds = args
        .input_file
        .iter()
        .map(|path| input::is_jsonl(args.input_format, path));
    let mut kinds: Vec<_> = kinds.collect();
    kinds.dedup();
    match kinds.as_slice() {
        [kind] => Ok(*kind),
        _ => Err(CliError::usage(
            "-i: lists of lines and JSONL cannot be mixed: convert one of them",
        )),
    }
}

fn divide(args: &PlanArgs, results: &Results) -> Result<Vec<PartitionSize>, CliError> {
    is_jsonl(args)?;
    let list = open_list(args)?;
    let mut partitioner = ListPartitioner::new(results.clone(), args.partitions);
    for source in list.sources {
        let name = source.name.clone();
        let result = input::for_each_line(source, "http://", |url, line| {
            partitioner.push(url, line).map_err(PlanError::Store)
        });
        result.map_err(|error| match error {
            PlanError::List(error) => CliError::file(format!("-i {name}: {error}")),
            PlanError::Store(error) => results_error(&error),
        })?;
    }
    partitioner.finish().map_err(|error| results_error(&error))
}

fn resume(args: &PlanArgs, results: &Results) -> Result<Planned, CliError> {
    let run = load_run(results, &args.results.results)?;
    let mut queue = open_queue(&args.queue.queue, &run, "plan")?;
    match queue.status() {
        Ok(_) => {}
        Err(ScaleError::NoRun) => {
            let ttl = run.lease_terms().ttl;
            let _ = writeln!(
                io::stderr(),
                "the queue does not know the run: waiting for {} s, until no worker holds a partition",
                ttl.as_secs_f64()
            );
            thread::sleep(ttl);
        }
        Err(error) => return Err(queue_error(&error)),
    }
    let mut incomplete = Vec::new();
    for (partition, size) in (0..).zip(&run.partitions) {
        let is_complete = || PartitionLog::load(results, partition).map(|log| log.is_complete());
        if size.lines > 0 && !is_complete().map_err(|error| results_error(&error))? {
            incomplete.push(partition);
        }
    }
    Ok((run, queue, incomplete))
}
