//! `curl --parallel`, with the URLs in a file of options.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use http::Version;

use super::{Tally, verify_version};
use crate::case::{Case, Way};
use crate::ports::Ports;
use crate::usage::{Meter, Usage};

pub(super) fn is_here() -> bool {
    Command::new("curl")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The usage of the command alone: its options are written before.
pub(super) fn run(case: &Case, base: &Ports) -> Result<Usage> {
    let mut options = tempfile::NamedTempFile::new()?;
    for url in case.urls(base) {
        writeln!(options, "url = \"{url}\"\noutput = \"/dev/null\"")?;
    }
    options.flush()?;
    // The site's certificate is signed by nobody.
    let protocol: &[&str] = match case.way {
        Way::Http2 => &["--insecure", "--http2"],
        Way::Https => &["--insecure", "--http1.1"],
        _ => &[],
    };
    let meter = Meter::start()?;
    let output = Command::new("curl")
        .args(protocol)
        .args(["--silent", "--parallel", "--parallel-immediate"])
        .args(["--parallel-max", &case.concurrency.to_string()])
        .args([
            "--write-out",
            "%{http_code} %{size_download} %{http_version}\\n",
        ])
        .arg("--config")
        .arg(options.path())
        // Its progress, which it shows for several transfers whatever it is told.
        .stderr(Stdio::null())
        .output()
        .context("cannot run curl")?;
    let usage = meter.stop()?;
    ensure!(output.status.success(), "curl failed: {}", output.status);
    let mut tally = Tally::new(case);
    for line in str::from_utf8(&output.stdout)?.lines() {
        let mut words = line.split(' ');
        let mut next = || words.next().context("a word is missing");
        tally.add(next()?.parse()?, next()?.parse()?)?;
        let version = match next()? {
            "2" => Version::HTTP_2,
            _ => Version::HTTP_11,
        };
        verify_version(case, version)?;
    }
    tally.finish()?;
    Ok(usage)
}
