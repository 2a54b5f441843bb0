//! The table of adapters and behaviours in the docs, made from the suite's run.

use std::collections::HashMap;
use std::fmt::Write;
use std::{env, fs};

use crate::behaviour::Verdict;
use crate::{GROUPS, backends};

/// The results by behaviour and adapter.
pub(crate) type Cells = HashMap<(&'static str, &'static str), Verdict>;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/conformance.md");
const BEGIN: &str = "<!-- begin table -->\n";
const END: &str = "<!-- end table -->";
/// What the docs show, whatever this build has.
const COLUMNS: [&str; 6] = [
    "smol",
    "tokio, current-thread",
    "tokio, multi-thread",
    "async-std",
    "isahc",
    "surf",
];

/// Compares the results with the committed table, or writes it.
pub(crate) fn compare(cells: &Cells) -> Result<(), String> {
    let present: Vec<_> = backends::ALL.iter().map(|backend| backend.name).collect();
    if present != COLUMNS {
        println!("docs/conformance.md is compared in builds with all adapters only");
        return Ok(());
    }
    let docs = fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
    let whole = docs.split_once(BEGIN).and_then(|(before, rest)| {
        let (old, after) = rest.split_once(END)?;
        Some((before, old, after))
    });
    let (before, old, after) =
        whole.ok_or_else(|| format!("{PATH}: the markers of the table are missing"))?;
    let table = render(cells);
    if old == table {
        return Ok(());
    }
    if env::var_os("UPDATE_DOCS").is_none() {
        return Err(format!(
            "docs/conformance.md differs from this run: write it with UPDATE_DOCS=1.\n{table}"
        ));
    }
    fs::write(PATH, [before, BEGIN, &table, END, after].concat())
        .map_err(|error| format!("{PATH}: {error}"))
}

fn render(cells: &Cells) -> String {
    let mut notes: Vec<&str> = Vec::new();
    let mut out = String::new();
    for group in &GROUPS {
        let _ = writeln!(out, "| {} | {} |", group.name, COLUMNS.join(" | "));
        let _ = writeln!(out, "|---|{}", ":-:|".repeat(COLUMNS.len()));
        for behaviour in group.behaviours {
            let _ = write!(out, "| {} |", behaviour.name);
            for column in COLUMNS {
                let cell = match cells.get(&(behaviour.name, column)) {
                    Some(Verdict::Can) => "yes".to_owned(),
                    Some(Verdict::Cannot(why)) => format!("no ({})", note(&mut notes, why)),
                    None => "?".to_owned(),
                };
                let _ = write!(out, " {cell} |");
            }
            out.push('\n');
        }
        out.push('\n');
    }
    for (index, why) in notes.iter().enumerate() {
        let _ = writeln!(out, "{}. {why}.", index + 1);
    }
    out
}

/// The number of a note.
fn note(notes: &mut Vec<&'static str>, why: &'static str) -> usize {
    let known = notes.iter().position(|note| *note == why);
    known.unwrap_or_else(|| {
        notes.push(why);
        notes.len() - 1
    }) + 1
}
