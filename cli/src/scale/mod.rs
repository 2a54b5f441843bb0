//! One list for many workers: `plan`, `work`, `status` and `collect`.

mod collect;
mod gate;
mod partition;
mod plan;
mod status;
mod work;

use std::time::Duration;

use fetch_scale::{RedisQueue, Results, RunDescription, ScaleError};

use crate::args::version;
use crate::exit::CliError;
pub(crate) use collect::run as collect;
pub(crate) use plan::run as plan;
pub(crate) use status::run as status;
pub(crate) use work::run as work;

fn results_error(error: &ScaleError) -> CliError {
    CliError::file(format!("--results: {error}"))
}

fn queue_error(error: &ScaleError) -> CliError {
    match error {
        ScaleError::Address(_) => CliError::usage(format!("--queue: {error}")),
        _ => CliError::file(format!("--queue: {error}")),
    }
}

fn open_results(address: &str) -> Result<Results, CliError> {
    Results::open(address).map_err(|error| CliError::usage(format!("--results: {error}")))
}

/// The run of a store.
///
/// # Errors
///
/// If nothing is planned there, or another version of this program planned it.
fn load_run(results: &Results, address: &str) -> Result<RunDescription, CliError> {
    let run = RunDescription::load(results).map_err(|error| match error {
        ScaleError::Missing(_) => CliError::usage(format!(
            "--results {address}: nothing is planned here: run fetch-all plan first, with the same --queue \
             and --results"
        )),
        error => results_error(&error),
    })?;
    if run.version != version::SHORT {
        return Err(CliError::usage(format!(
            "--results {address}: planned by version {}, and this is {}: use the same version on all machines",
            run.version,
            version::SHORT
        )));
    }
    Ok(run)
}

fn open_queue(address: &str, run: &RunDescription, worker: &str) -> Result<RedisQueue, CliError> {
    let ttl = run.lease_terms().ttl;
    RedisQueue::open(address, &run.id, worker, ttl).map_err(|error| queue_error(&error))
}

/// A name that no other process has or had.
fn worker_name() -> String {
    let host = fetch_scale::machine_name();
    format!(
        "{host}-{}-{:08x}",
        std::process::id(),
        fetch_scale::random()
    )
}

/// How many of a whole, in percent.
fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(100)
}

/// The shortest lease: its extensions must have time to arrive.
const MIN_LEASE: Duration = Duration::from_secs(1);
