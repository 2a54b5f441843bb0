//! Allocations per request.
//!
//! A second program with a counting allocator counts them. If not all memory is allocated by Rust,
//! valgrind counts them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::cases::case::BenchmarkCase;
use crate::cases::client_kind::ClientKind;
use crate::cases::load_kind::LoadKind;
use crate::environment::command;
use crate::environment::site::ServerProcess;

/// With more connections at once, valgrind would take very long.
const MAX_CONCURRENCY_IN_VALGRIND: usize = 100;

/// The program with the counting allocator.
#[derive(Debug)]
pub(crate) struct AllocationCounter {
    program: PathBuf,
}

impl AllocationCounter {
    /// Builds the program.
    pub(crate) fn build() -> Result<Self> {
        let program = command::build_program("fetch-side-by-side", "fetch-side-by-side-counting")?;
        Ok(Self { program })
    }

    /// Allocations per request, from the difference of two runs, one twice as long as the other, so
    /// that one-time work does not count. `None` if valgrind would be needed and is not installed or
    /// would take too long, if the client cannot be measured, or if the runs differ by more than
    /// their requests.
    pub(crate) fn count(
        &self,
        client: ClientKind,
        case: &BenchmarkCase,
        site: &ServerProcess,
    ) -> Option<f64> {
        if client == ClientKind::Command {
            return None; // its allocator is its own, which valgrind does not know
        }
        let is_too_many = case.concurrency > MAX_CONCURRENCY_IN_VALGRIND;
        let count_in_run: &dyn Fn(usize) -> Option<i64> =
            match (allocates_only_in_rust(client, case.kind), is_too_many) {
                (true, _) => &|requests| self.count_in_run(client, case, requests, site),
                (false, false) => &|requests| count_in_valgrind(client, case, requests, site),
                (false, true) => return None,
            };
        let requests = (4 * case.concurrency).clamp(200, case.requests.div_ceil(2));
        let difference = count_in_run(2 * requests)? - count_in_run(requests)?;
        // A negative difference shows that the runs differed by more than their requests, for
        // example in the number of TLS handshakes.
        (difference >= 0).then(|| difference as f64 / requests as f64)
    }

    fn count_in_run(
        &self,
        client: ClientKind,
        case: &BenchmarkCase,
        requests: usize,
        site: &ServerProcess,
    ) -> Option<i64> {
        let mut command = Command::new(&self.program);
        let output = command
            .args(client_arguments(client, case, requests, site))
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let count = text.lines().next_back()?.parse().ok();
        output.status.success().then_some(count).flatten()
    }
}

/// Whether all allocations happen in Rust code of the client's process: none in C code or in another
/// program.
fn allocates_only_in_rust(client: ClientKind, kind: LoadKind) -> bool {
    match client {
        ClientKind::Aiohttp | ClientKind::Curl | ClientKind::Isahc => false,
        _ => !matches!(kind, LoadKind::Coded | LoadKind::Http2 | LoadKind::Https),
    }
}

fn client_arguments(
    client: ClientKind,
    case: &BenchmarkCase,
    requests: usize,
    site: &ServerProcess,
) -> [String; 5] {
    let (client, case) = (client.name().into(), case.name.into());
    let numbers = (requests.to_string(), site.ports.to_string());
    ["client".into(), client, case, numbers.0, numbers.1]
}

fn count_in_valgrind(
    client: ClientKind,
    case: &BenchmarkCase,
    requests: usize,
    site: &ServerProcess,
) -> Option<i64> {
    if client == ClientKind::Aiohttp {
        return None;
    }
    let directory = tempfile::tempdir().ok()?;
    let log_file = directory.path().join("%p");
    let status = Command::new("valgrind")
        .args(["--trace-children=yes", "--leak-check=no"])
        .arg(format!("--log-file={}", log_file.display()))
        .arg(std::env::current_exe().ok()?)
        .args(client_arguments(client, case, requests, site))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()?;
    let files = std::fs::read_dir(directory.path()).ok()?;
    let logs = files.map(|file| std::fs::read_to_string(file.ok()?.path()).ok());
    let log = logs.collect::<Option<String>>()?;
    status.success().then(|| sum_allocations(&log)).flatten()
}

/// The sum over all processes of lines like "total heap usage: 12,345 allocs, 12,340 frees, 1,234,567 bytes allocated".
fn sum_allocations(log: &str) -> Option<i64> {
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
    fn counts_of_processes_are_added() {
        let log = "==7== Command: a\n\
            ==7==   total heap usage: 1,234 allocs, 1,200 frees, 99 bytes allocated\n\
            ==9==   total heap usage: 6 allocs, 6 frees, 1 bytes allocated\n";
        assert_eq!(sum_allocations(log), Some(1_240));
        assert_eq!(sum_allocations("valgrind: failed to start"), None);
    }
}
