//! Runs the command on a list.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The command, without environment variables that affect it.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fetch-all"));
    command
        .args(arguments)
        .env_remove("RUST_LOG")
        .env_remove("NETRC")
        .env("XDG_CONFIG_HOME", "/none")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for name in ["all_proxy", "http_proxy", "https_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command
}

/// JSON, a value on each line.
pub(crate) fn parse_records(text: &[u8]) -> Vec<Value> {
    let lines = text.split(|byte| *byte == b'\n');
    lines
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// How many records have each outcome.
pub(crate) fn outcomes(records: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for record in records {
        let outcome = record["outcome"].as_str().unwrap_or_default().to_owned();
        *counts.entry(outcome).or_default() += 1;
    }
    counts
}
