//! `curl --parallel`, with the URLs in a config file.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use http::Version;

use super::{ResponseTally, verify_version};
use crate::cases::case::BenchmarkCase;
use crate::cases::load_kind::LoadKind;
use crate::environment::ports::SitePorts;
use crate::environment::usage::{ResourceMeter, ResourceUsage};

pub(super) fn is_installed() -> bool {
    Command::new("curl")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The usage of curl alone. Writing its config file is not measured.
pub(super) fn run(case: &BenchmarkCase, ports: &SitePorts) -> Result<ResourceUsage> {
    let mut options = tempfile::NamedTempFile::new()?;
    for url in case.urls(ports) {
        writeln!(options, "url = \"{url}\"\noutput = \"/dev/null\"")?;
    }
    options.flush()?;
    // The server has a self-signed certificate.
    let protocol: &[&str] = match case.kind {
        LoadKind::Http2 => &["--insecure", "--http2"],
        LoadKind::Https => &["--insecure", "--http1.1"],
        _ => &[],
    };
    let meter = ResourceMeter::start()?;
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
        // curl prints a progress meter for parallel transfers in spite of --silent.
        .stderr(Stdio::null())
        .output()
        .context("cannot run curl")?;
    let usage = meter.stop()?;
    ensure!(output.status.success(), "curl failed: {}", output.status);
    let mut tally = ResponseTally::new(case);
    for line in str::from_utf8(&output.stdout)?.lines() {
        let mut values = line.split(' ');
        let mut next = || values.next().context("curl printed too few values");
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
