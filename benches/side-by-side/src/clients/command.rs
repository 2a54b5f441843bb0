//! The command `fetch-all` in the release profile. It reads a list and writes one record per URL.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cases::case::BenchmarkCase;
use crate::environment::command;
use crate::environment::ports::SitePorts;
use crate::environment::usage::{ResourceMeter, ResourceUsage};

/// The usage of the command alone. Writing the list and checking the records is not measured.
pub(super) fn run(case: &BenchmarkCase, ports: &SitePorts) -> Result<ResourceUsage> {
    let directory = tempfile::tempdir()?;
    let list = directory.path().join("urls.txt");
    let records = directory.path().join("records.jsonl");
    command::write_list(&list, case.urls(ports))?;
    let meter = ResourceMeter::start()?;
    let status = Command::new(command::command_path()?)
        .args(command::command_arguments(
            &list,
            &records,
            case.concurrency,
        ))
        .status()
        .context("cannot run the command")?;
    let usage = meter.stop()?;
    ensure!(status.success(), "the command failed: {status}");
    command::check_records(&records, case.requests, case.body as u64)?;
    Ok(usage)
}
