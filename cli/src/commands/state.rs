//! `fetch-all state`.

use std::path::Path;

use fetch_state::{CompletionKind, StateError};
use ring::digest;
use serde::Deserialize;

use crate::args::command::StateCommand;
use crate::exit::{CliError, ExitStatus};
use crate::output::record_columns;
use crate::output::target::print_text;

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// If there is no state, it is in use, or its files cannot be used.
pub(crate) fn run(command: &StateCommand) -> Result<u8, CliError> {
    match command {
        StateCommand::Check(args) => check(&args.directory),
        StateCommand::Repair(args) => repair(&args.directory),
    }
}

fn check(directory: &Path) -> Result<u8, CliError> {
    let found = fetch_state::check(directory).map_err(|error| state_error(directory, &error))?;
    print(&found.to_string());
    if !found.is_damaged() {
        print("no damage\n");
        return Ok(0);
    }
    print(&format!(
        "damaged: `fetch-all state repair {}` keeps everything that is valid\n",
        directory.display()
    ));
    Ok(ExitStatus::File as u8)
}

fn repair(directory: &Path) -> Result<u8, CliError> {
    let done = fetch_state::repair(directory, &parse_record);
    let done = done.map_err(|error| state_error(directory, &error))?;
    print(&done.to_string());
    if done.backup.is_some() {
        print("run the command with --state again to continue\n");
    }
    match done.remaining.is_empty() {
        true => Ok(0),
        false => Ok(ExitStatus::File as u8),
    }
}

fn state_error(directory: &Path, error: &StateError) -> CliError {
    let hint = match error {
        StateError::InvalidManifest(_) => {
            ", and its copy is missing or damaged, too: restore one of them, or use another directory and \
             fetch everything again"
        }
        StateError::NoState => ": pass the directory that was given to --state",
        _ => "",
    };
    CliError::file(format!("{}: {error}{hint}", directory.display()))
}

fn print(text: &str) {
    // A closed stdout does not end a repair.
    let _ = print_text(text);
}

/// The fields of a record that its state has.
#[derive(Deserialize)]
struct RecordMark {
    id: String,
    outcome: String,
}

/// The request of a line of an output; `None` if the line or the format has none that can be read.
fn parse_record(format: &str, line: &[u8]) -> Option<Vec<([u8; 16], CompletionKind)>> {
    let mark = match format {
        "jsonl" => serde_json::from_slice(line).ok()?,
        "csv" => parse_csv(line)?,
        _ => return None,
    };
    let RecordMark { id, outcome } = mark;
    let kind = match outcome.as_str() {
        // The header of CSV, and fetches that the next run repeats.
        "outcome" | "cancelled" => return Some(Vec::new()),
        "ok" | "skipped" => CompletionKind::Ok,
        "invalid" => CompletionKind::Invalid,
        _ => CompletionKind::Failed,
    };
    // An id from a list is hashed, and may look like that of a request. The other digest belongs to no
    // request, so it does no harm.
    let given = digest::digest(&digest::SHA256, id.as_bytes());
    let given = given.as_ref().first_chunk().copied();
    let keys = [parse_digest(&id), given];
    Some(keys.into_iter().flatten().map(|key| (key, kind)).collect())
}

/// The first 16 bytes of an id that is a digest.
fn parse_digest(id: &str) -> Option<[u8; 16]> {
    let hex = id.strip_prefix("sha256:").filter(|hex| hex.len() == 64)?;
    let number = u128::from_str_radix(hex.get(..32)?, 16).ok()?;
    Some(number.to_be_bytes())
}

/// Reads a line of CSV. A record with a line end in a cell cannot be read.
fn parse_csv(line: &[u8]) -> Option<RecordMark> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(line);
    let cells = reader.records().next()?.ok()?;
    let cell = |name: &str| {
        let at = record_columns().position(|column| column == name)?;
        cells.get(at).map(str::to_owned)
    };
    let is_complete = cells.len() == record_columns().count();
    Some(RecordMark {
        id: cell("id")?,
        outcome: cell("outcome")?,
    })
    .filter(|_| is_complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_of_a_record_is_read_from_jsonl_and_csv() {
        let id = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let expected = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes();
        let jsonl =
            |outcome: &str| format!(r#"{{"v":1,"id":"{id}","seq":1,"outcome":"{outcome}"}}"#);
        let parsed = |line: &str| parse_record("jsonl", line.as_bytes());
        for (outcome, kind) in [
            ("ok", CompletionKind::Ok),
            ("timeout", CompletionKind::Failed),
            ("invalid", CompletionKind::Invalid),
        ] {
            assert!(parsed(&jsonl(outcome)).unwrap().contains(&(expected, kind)));
        }
        assert_eq!(parsed(&jsonl("cancelled")), Some(Vec::new()));
        assert_eq!(parsed(&jsonl("ok")[..50]), None);
        let header = record_columns().collect::<Vec<_>>().join(",");
        assert_eq!(parse_record("csv", header.as_bytes()), Some(Vec::new()));
        let row = record_columns().map(|column| match column {
            "id" => "\"a,b\"",
            "outcome" => "ok",
            _ => "",
        });
        let row = row.collect::<Vec<_>>().join(",");
        let digest = digest::digest(&digest::SHA256, b"a,b");
        let key = *digest.as_ref().first_chunk().unwrap();
        let parsed = parse_record("csv", row.as_bytes());
        assert_eq!(parsed, Some(vec![(key, CompletionKind::Ok)]));
        assert_eq!(parse_record("csv", b"1,2,3"), None);
        assert_eq!(parse_record("text", row.as_bytes()), None);
    }
}
