//! The command, as its package has it: a list from a file, a record for each URL to a file.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::case::Case;
use crate::command;
use crate::ports::Ports;
use crate::usage::{Meter, Usage};

/// The usage of the command alone: the list is written before, and the records are checked after.
pub(super) fn run(case: &Case, base: &Ports) -> Result<Usage> {
    let directory = tempfile::tempdir()?;
    let list = directory.path().join("urls.txt");
    let records = directory.path().join("records.jsonl");
    command::write_list(&list, case.urls(base))?;
    let meter = Meter::start()?;
    let status = Command::new(command::path()?)
        .args(command::arguments(&list, &records, case.concurrency))
        .status()
        .context("cannot run the command")?;
    let usage = meter.stop()?;
    ensure!(status.success(), "the command failed: {status}");
    command::check(&records, case.requests, case.body as u64)?;
    Ok(usage)
}
