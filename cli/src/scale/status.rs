//! `fetch-all status`.

use std::fmt::Write as _;

use fetch_scale::{PartitionLog, Queue, ScaleError};

use super::{load_run, open_queue, open_results, percent, queue_error, results_error};
use crate::args::command::StatusArgs;
use crate::display::{escape_unsafe, plural};
use crate::exit::CliError;
use crate::output::target::{print_stdout, print_text};

/// Prints how far a run is: the lines with records, as the store shows them, and the workers, as they reported to
/// the queue.
///
/// # Errors
///
/// If the store or the queue cannot be used.
pub(crate) fn run(args: &StatusArgs) -> Result<u8, CliError> {
    let results = open_results(&args.results.results)?;
    let run = load_run(&results, &args.results.results)?;
    let mut queue = open_queue(&args.queue.queue, &run, "status")?;
    let status = match queue.status() {
        Ok(status) => Some(status),
        Err(ScaleError::NoRun) => None,
        Err(error) => return Err(queue_error(&error)),
    };
    let (mut done, mut complete, mut planned, mut set_aside) = (0, 0, 0_u64, 0);
    for (partition, size) in (0..).zip(&run.partitions) {
        if size.lines > 0 {
            let log = PartitionLog::load(&results, partition);
            let log = log.map_err(|error| results_error(&error))?;
            planned += 1;
            done += log.done().len();
            complete += u64::from(log.is_complete());
            set_aside += log.set_aside();
        }
    }
    let lines = run.lines();
    let workers = status.as_ref().map(|status| status.workers.as_slice());
    let workers = workers.unwrap_or_default();
    let rate: f64 = workers.iter().map(|(_, report)| report.rate).sum();
    let leased = status.as_ref().map_or(0, |status| status.leased);
    if args.json {
        let workers: Vec<_> = workers
            .iter()
            .map(|(name, report)| {
                serde_json::json!({
                    "name": name, "urls": report.lines, "failed": report.failed, "rate": report.rate,
                    "partitions": report.partitions.len(), "age": report.age,
                })
            })
            .collect();
        let all = serde_json::json!({
            "urls": lines, "done": done, "partitions": planned, "complete": complete, "leased": leased,
            "set_aside": set_aside, "rate": rate, "queued": status.is_some(), "workers": workers,
        });
        return print_stdout(format!("{all}\n").as_bytes()).map(|()| 0);
    }
    let mut text = format!(
        "{done} of {} have records ({} %), {complete} of {} complete, {leased} leased\n",
        plural(lines, "URL", "URLs"),
        percent(done, lines),
        plural(planned, "partition", "partitions"),
    );
    if set_aside > 0 {
        let urls = plural(set_aside, "URL is", "URLs are");
        let _ = writeln!(text, "{urls} set aside because workers crashed");
    }
    if rate > 0.0 {
        let left = (lines - done.min(lines)) as f64 / rate;
        let _ = writeln!(text, "{rate:.0} URLs per second, about {left:.0} s left");
    }
    for (name, report) in workers {
        let _ = writeln!(
            text,
            "  {}: {}, {} failed, {:.0}/s, {}, {} s ago",
            escape_unsafe(name),
            plural(report.lines, "URL", "URLs"),
            report.failed,
            report.rate,
            plural(report.partitions.len() as u64, "partition", "partitions"),
            report.age
        );
    }
    if status.is_none() && complete < planned {
        let _ = writeln!(text, "{}", ScaleError::NoRun);
    }
    print_text(&text).map(|()| 0)
}
