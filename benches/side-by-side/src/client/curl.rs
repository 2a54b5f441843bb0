//! `curl --parallel`, with the URLs in a file of options.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{verify, verify_count};
use crate::case::Case;

pub(super) fn is_here() -> bool {
    Command::new("curl")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

pub(super) fn run(case: &Case, base: &str) -> Result<()> {
    let mut options = tempfile::NamedTempFile::new()?;
    for url in case.urls(base) {
        writeln!(options, "url = \"{url}\"\noutput = \"/dev/null\"")?;
    }
    options.flush()?;
    let output = Command::new("curl")
        .args(["--silent", "--parallel", "--parallel-immediate"])
        .args(["--parallel-max", &case.concurrency.to_string()])
        .args(["--write-out", "%{http_code} %{size_download}\\n"])
        .arg("--config")
        .arg(options.path())
        // Its progress, which it shows for several transfers whatever it is told.
        .stderr(Stdio::null())
        .output()
        .context("cannot run curl")?;
    ensure!(output.status.success(), "curl failed: {}", output.status);
    let mut count = 0;
    for line in str::from_utf8(&output.stdout)?.lines() {
        let (status, size) = line.split_once(' ').context("a line without its size")?;
        verify(case, status.parse()?, size.parse()?)?;
        count += 1;
    }
    verify_count(case, count)
}
