//! Runs the command on a list.

#[path = "../common/command.rs"]
mod command;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use self::command::command;

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
