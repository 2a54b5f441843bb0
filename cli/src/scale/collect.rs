//! `fetch-all collect`.

use std::io::{self, Write};

use fetch_scale::{PartitionLog, ScaleError};

use super::{load_run, open_results, results_error};
use crate::args::command::CollectArgs;
use crate::display::plural;
use crate::exit::{CliError, ExitStatus};
use crate::output::OutputTarget;

/// Why records cannot be joined.
enum CollectError {
    Store(ScaleError),
    Write(io::Error),
}

impl From<ScaleError> for CollectError {
    fn from(error: ScaleError) -> Self {
        Self::Store(error)
    }
}

fn write_error(name: &str, error: &io::Error) -> CliError {
    CliError::file(format!("{name}: cannot be written: {error}"))
}

/// Writes the records of all partitions to one file. It may be called while workers run.
///
/// # Errors
///
/// If the store or the file cannot be used.
pub(crate) fn run(args: &CollectArgs) -> Result<u8, CliError> {
    let results = open_results(&args.results.results)?;
    let run = load_run(&results, &args.results.results)?;
    let (name, _, mut out) = OutputTarget::open(args.output.as_deref())?.into_parts();
    let mut missing = 0;
    for (partition, size) in (0..).zip(&run.partitions) {
        if size.lines == 0 {
            continue;
        }
        let log = PartitionLog::load(&results, partition);
        let log = log.map_err(|error| results_error(&error))?;
        missing += size.lines.saturating_sub(log.done().len());
        let written =
            log.for_each_records(|records| out.write_all(records).map_err(CollectError::Write));
        written.map_err(|error| match error {
            CollectError::Store(error) => results_error(&error),
            CollectError::Write(error) => write_error(&name, &error),
        })?;
    }
    out.flush().map_err(|error| write_error(&name, &error))?;
    if missing == 0 {
        return Ok(0);
    }
    let urls = plural(missing, "URL has", "URLs have");
    let _ = writeln!(io::stderr(), "{urls} no record yet");
    Ok(ExitStatus::Unfinished as u8)
}
