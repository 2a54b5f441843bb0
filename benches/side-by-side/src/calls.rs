//! How many system calls a request takes, by strace.

use std::process::{Command, Stdio};

use crate::case::Case;
use crate::client::Client;
use crate::site::Site;

/// The difference of two runs, of which one is twice as long: what a client does once does not count.
/// `None` without strace.
pub(crate) fn of(client: Client, case: &Case, site: &Site) -> Option<f64> {
    let requests = (2 * case.concurrency).clamp(1_000, case.requests.div_ceil(2));
    let [some, twice] = [requests, 2 * requests].map(|count| all(client, case, count, site));
    Some((twice? - some?) as f64 / requests as f64)
}

fn all(client: Client, case: &Case, requests: usize, site: &Site) -> Option<i64> {
    let file = tempfile::NamedTempFile::new().ok()?;
    let status = Command::new("strace")
        .args(["--follow-forks", "--summary-only", "--output"])
        .arg(file.path())
        .arg(std::env::current_exe().ok()?)
        .args([
            "client",
            client.name(),
            case.name,
            &requests.to_string(),
            &site.ports.to_string(),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()?;
    let text = std::fs::read_to_string(file.path()).ok()?;
    status.success().then(|| total(&text)).flatten()
}

/// The calls in the last line: share, seconds, time of a call, calls, perhaps errors, "total".
fn total(summary: &str) -> Option<i64> {
    let line = summary.lines().rev().find(|line| line.ends_with("total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found() {
        let summary = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
             62.85    0.000022          22         1           write\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    0.000035           8      1234         1 total\n";
        assert_eq!(total(summary), Some(1234));
    }
}
