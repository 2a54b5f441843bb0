//! aiohttp, used as in the Python program that fetch-all replaces.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::cases::case::BenchmarkCase;
use crate::environment::ports::SitePorts;

const PROGRAM: &str = include_str!("aiohttp.py");

pub(super) fn is_installed() -> bool {
    Command::new("python3")
        .args(["-c", "import aiohttp"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The Python program checks each status and body length.
pub(super) fn run(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    let mut child = Command::new("python3")
        .args(["-c", PROGRAM])
        .args([case.body, case.concurrency, case.failures()].map(|n| n.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run python3")?;
    let mut stdin = child.stdin.take().context("python3 has no input")?;
    for url in case.urls(ports) {
        writeln!(stdin, "{url}")?;
    }
    drop(stdin);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "aiohttp failed: {}", output.status);
    let responses: usize = str::from_utf8(&output.stdout)?.trim().parse()?;
    ensure!(
        responses == case.requests,
        "{responses} responses to {} requests",
        case.requests
    );
    Ok(())
}
