//! System calls per request, counted by strace.

use std::process::{Command, Stdio};

use crate::cases::case::BenchmarkCase;
use crate::cases::client_kind::ClientKind;
use crate::environment::site::ServerProcess;

/// System calls per request, from the difference of two runs, one twice as long as the other, so
/// that one-time work does not count. `None` if strace is not installed.
pub(crate) fn count_system_calls(
    client: ClientKind,
    case: &BenchmarkCase,
    site: &ServerProcess,
) -> Option<f64> {
    let requests = (2 * case.concurrency).clamp(1_000, case.requests.div_ceil(2));
    let [some, twice] =
        [requests, 2 * requests].map(|count| count_in_run(client, case, count, site));
    Some((twice? - some?) as f64 / requests as f64)
}

fn count_in_run(
    client: ClientKind,
    case: &BenchmarkCase,
    requests: usize,
    site: &ServerProcess,
) -> Option<i64> {
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
    status.success().then(|| parse_total(&text)).flatten()
}

/// The number of calls in the last line, whose columns are: share, seconds, time per call, calls,
/// errors if any, "total".
fn parse_total(summary: &str) -> Option<i64> {
    let line = summary.lines().rev().find(|line| line.ends_with("total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_parsed() {
        let summary = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
             62.85    0.000022          22         1           write\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    0.000035           8      1234         1 total\n";
        assert_eq!(parse_total(summary), Some(1234));
    }
}
