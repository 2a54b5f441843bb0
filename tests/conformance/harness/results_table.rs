//! The table of adapters and behaviours in `docs/conformance.md`, generated from a complete run.

use std::collections::HashMap;
use std::fmt::Write;
use std::{env, fs};

use crate::harness::behaviour::SupportStatus;
use crate::{BEHAVIOUR_GROUPS, adapters};

/// The results by behaviour and adapter.
pub(crate) type Results = HashMap<(&'static str, &'static str), SupportStatus>;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/conformance.md");
const BEGIN: &str = "<!-- begin table -->\n";
const END: &str = "<!-- end table -->";
/// The columns of the table. A build without one of these adapters cannot write it.
const COLUMNS: [&str; 6] = [
    "smol",
    "tokio, current-thread",
    "tokio, multi-thread",
    "async-std",
    "isahc",
    "surf",
];

/// Compares the results with the committed table. With `UPDATE_DOCS` set, writes the table instead.
pub(crate) fn compare_with_docs(results: &Results) -> Result<(), String> {
    let present: Vec<_> = adapters::ALL.iter().map(|adapter| adapter.name).collect();
    if present != COLUMNS {
        println!("docs/conformance.md is compared only if all adapters are built");
        return Ok(());
    }
    let docs = fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
    let parts = docs.split_once(BEGIN).and_then(|(before, rest)| {
        let (old, after) = rest.split_once(END)?;
        Some((before, old, after))
    });
    let (before, old, after) =
        parts.ok_or_else(|| format!("{PATH}: the markers of the table are missing"))?;
    let table = render(results);
    if old == table {
        return Ok(());
    }
    if env::var_os("UPDATE_DOCS").is_none() {
        return Err(format!(
            "docs/conformance.md differs from this run; run again with UPDATE_DOCS=1 to write it.\n{table}"
        ));
    }
    fs::write(PATH, [before, BEGIN, &table, END, after].concat())
        .map_err(|error| format!("{PATH}: {error}"))
}

fn render(results: &Results) -> String {
    let mut notes: Vec<&str> = Vec::new();
    let mut out = String::new();
    for group in &BEHAVIOUR_GROUPS {
        let _ = writeln!(out, "| {} | {} |", group.name, COLUMNS.join(" | "));
        let _ = writeln!(out, "|---|{}", ":-:|".repeat(COLUMNS.len()));
        for behaviour in group.behaviours {
            let _ = write!(out, "| {} |", behaviour.name);
            for column in COLUMNS {
                let cell = match results.get(&(behaviour.name, column)) {
                    Some(SupportStatus::Supported) => "yes".to_owned(),
                    Some(SupportStatus::Unsupported(reason)) => {
                        format!("no ({})", note_number(&mut notes, reason))
                    }
                    None => "?".to_owned(),
                };
                let _ = write!(out, " {cell} |");
            }
            out.push('\n');
        }
        out.push('\n');
    }
    for (index, reason) in notes.iter().enumerate() {
        let _ = writeln!(out, "{}. {reason}.", index + 1);
    }
    out
}

/// The number of the note with this reason, which is added if it is new.
fn note_number(notes: &mut Vec<&'static str>, reason: &'static str) -> usize {
    let known = notes.iter().position(|note| *note == reason);
    known.unwrap_or_else(|| {
        notes.push(reason);
        notes.len() - 1
    }) + 1
}
