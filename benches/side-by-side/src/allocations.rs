//! How many times a request allocates memory.
//!
//! A program of its own counts, whose allocator does; valgrind, where not all is allocated by Rust.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::case::{Case, Way};
use crate::client::Client;
use crate::command;
use crate::site::Site;

/// More connections at once would take valgrind very long.
const MOST_IN_VALGRIND: usize = 100;

/// What counts.
#[derive(Debug)]
pub(crate) struct Counter {
    program: PathBuf,
}

impl Counter {
    /// Builds it.
    pub(crate) fn build() -> Result<Self> {
        let program = command::build_program("fetch-side-by-side", "fetch-side-by-side-counting")?;
        Ok(Self { program })
    }

    /// The difference of two runs, of which one is twice as long: what a client does once does not
    /// count. `None` if it would have to be valgrind, and that is not here or would take too long; for
    /// what allocates on its own; and where it cannot be told.
    pub(crate) fn count(&self, client: Client, case: &Case, site: &Site) -> Option<f64> {
        let many = case.concurrency > MOST_IN_VALGRIND;
        let all: &dyn Fn(usize) -> Option<i64> = match (is_all_rust(client, case.way), many) {
            (true, _) => &|requests| self.all(client, case, requests, site),
            (false, false) => &|requests| all_in_valgrind(client, case, requests, site),
            (false, true) => return None,
        };
        let requests = (4 * case.concurrency).clamp(200, case.requests.div_ceil(2));
        let more = all(2 * requests)? - all(requests)?;
        // Of two runs that differ by more than their requests, such as by how often TLS was agreed on,
        // nothing can be told.
        (more >= 0).then(|| more as f64 / requests as f64)
    }

    fn all(&self, client: Client, case: &Case, requests: usize, site: &Site) -> Option<i64> {
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

/// Whether Rust allocates all, in the client's own process: not what C does, nor another program.
fn is_all_rust(client: Client, way: Way) -> bool {
    match client {
        Client::Aiohttp | Client::Command | Client::Curl | Client::Isahc => false,
        _ => !matches!(way, Way::Coded | Way::Http2 | Way::Https),
    }
}

fn client_arguments(client: Client, case: &Case, requests: usize, site: &Site) -> [String; 5] {
    let (client, case) = (client.name().into(), case.name.into());
    let numbers = (requests.to_string(), site.ports.to_string());
    ["client".into(), client, case, numbers.0, numbers.1]
}

fn all_in_valgrind(client: Client, case: &Case, requests: usize, site: &Site) -> Option<i64> {
    if client == Client::Aiohttp {
        return None;
    }
    let directory = tempfile::tempdir().ok()?;
    let each = directory.path().join("%p");
    let status = Command::new("valgrind")
        .args(["--trace-children=yes", "--leak-check=no"])
        .arg(format!("--log-file={}", each.display()))
        .arg(std::env::current_exe().ok()?)
        .args(client_arguments(client, case, requests, site))
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
