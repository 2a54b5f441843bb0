//! How many times a request allocates memory, by valgrind.

use std::process::{Command, Stdio};

use crate::case::Case;
use crate::client::Client;
use crate::site::Site;

/// More connections at once would take valgrind very long.
const MOST_AT_ONCE: usize = 100;

/// The difference of two runs, of which one is twice as long: what a client does once does not count.
/// `None` without valgrind, for what allocates on its own, and where it cannot be told.
pub(crate) fn of(client: Client, case: &Case, site: &Site) -> Option<f64> {
    if case.concurrency > MOST_AT_ONCE || client == Client::Aiohttp {
        return None;
    }
    let requests = (4 * case.concurrency).clamp(200, case.requests.div_ceil(2));
    let [some, twice] = [requests, 2 * requests].map(|count| all(client, case, count, site));
    let more = twice? - some?;
    // Of two runs that differ by more than their requests, such as by how often TLS was agreed on,
    // nothing can be told.
    (more >= 0).then(|| more as f64 / requests as f64)
}

fn all(client: Client, case: &Case, requests: usize, site: &Site) -> Option<i64> {
    let directory = tempfile::tempdir().ok()?;
    let each = directory.path().join("%p");
    let status = Command::new("valgrind")
        .args(["--trace-children=yes", "--leak-check=no"])
        .arg(format!("--log-file={}", each.display()))
        .arg(std::env::current_exe().ok()?)
        .args(["client", client.name(), case.name])
        .args([requests.to_string(), site.ports.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()?;
    let files = std::fs::read_dir(directory.path()).ok()?;
    let logs = files.map(|file| std::fs::read_to_string(file.ok()?.path()).ok());
    let log = logs.collect::<Option<String>>()?;
    status.success().then(|| total(&log)).flatten()
}

/// What all processes say: "total heap usage: 12,345 allocs, 12,340 frees, 1,234,567 bytes allocated".
fn total(log: &str) -> Option<i64> {
    let counts = log.lines().filter_map(|line| {
        let (_, rest) = line.split_once("total heap usage: ")?;
        let (count, _) = rest.split_once(" allocs")?;
        count.replace(',', "").parse::<i64>().ok()
    });
    counts.reduce(|sum, count| sum + count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_added_up() {
        let log = "==7== Command: a\n\
            ==7==   total heap usage: 1,234 allocs, 1,200 frees, 99 bytes allocated\n\
            ==9==   total heap usage: 6 allocs, 6 frees, 1 bytes allocated\n";
        assert_eq!(total(log), Some(1_240));
        assert_eq!(total("valgrind: failed to start"), None);
    }
}
