//! aiohttp, used as by the program that fetch-all grew out of.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::case::Case;
use crate::ports::Ports;

const PROGRAM: &str = include_str!("aiohttp.py");

pub(super) fn is_here() -> bool {
    Command::new("python3")
        .args(["-c", "import aiohttp"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The program itself checks each status and each body's length.
pub(super) fn run(case: &Case, base: &Ports) -> Result<()> {
    let mut child = Command::new("python3")
        .args(["-c", PROGRAM])
        .args([case.body, case.concurrency, case.failures()].map(|n| n.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run python3")?;
    let mut stdin = child.stdin.take().context("python3 has no input")?;
    for url in case.urls(base) {
        writeln!(stdin, "{url}")?;
    }
    drop(stdin);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "aiohttp failed: {}", output.status);
    let answers: usize = str::from_utf8(&output.stdout)?.trim().parse()?;
    ensure!(
        answers == case.requests,
        "{answers} answers to {} requests",
        case.requests
    );
    Ok(())
}
