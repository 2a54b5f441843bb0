//! A table of cases, and the one way to run it.

use std::fmt::Write;

use libtest_mimic::Failed;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table<G> {
    /// What the table is about, for readers.
    about: String,
    origin: Vec<Origin>,
    cases: Vec<Case<G>>,
    #[serde(default)]
    left_out: Vec<LeftOut>,
}

/// Where the facts were read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Origin {
    repository: String,
    path: String,
    commit: String,
    licence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case<G> {
    name: String,
    given: G,
    /// The published result.
    expect: Value,
    deliberate: Option<Deliberate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deliberate {
    ours: Value,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeftOut {
    case: String,
    why: String,
}

/// Runs every case of the table `json`, prints the score, and fails on any difference undeclared.
pub(crate) fn run<G: DeserializeOwned>(
    set: &str,
    json: &str,
    answer: impl Fn(&G) -> Value,
) -> Result<(), Failed> {
    let table: Table<G> = serde_json::from_str(json).map_err(|error| format!("{set}: {error}"))?;
    check_notes(&table)?;
    let (mut same, mut other, mut wrong) = (0, 0, String::new());
    for case in &table.cases {
        let actual = answer(&case.given);
        let wanted = case.deliberate.as_ref().map_or(&case.expect, |d| &d.ours);
        let name = &case.name;
        if actual != *wanted {
            let _ = write!(wrong, "\n{name}:\n  expected {wanted}\n  got      {actual}");
        } else if case.deliberate.is_none() {
            same += 1;
        } else if actual == case.expect {
            let _ = write!(wrong, "\n{name}: declared to differ, but it does not");
        } else {
            other += 1;
        }
    }
    let (total, left) = (table.cases.len(), table.left_out.len());
    println!("{set}: {same}/{total} as published, {other} differ on purpose, {left} left out");
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.into())
    }
}

/// A table without its origin or a difference without its reason is not worth much.
fn check_notes<G>(table: &Table<G>) -> Result<(), Failed> {
    let dated = table.origin.iter().all(|from| {
        from.commit.len() == 40 && !from.licence.is_empty() && from.repository.contains('/')
    });
    let pathed = table.origin.iter().all(|from| !from.path.is_empty());
    let reasons = table
        .cases
        .iter()
        .filter_map(|case| case.deliberate.as_ref());
    let reasoned = reasons.map(|d| &d.why).all(|why| !why.is_empty());
    let excused = table
        .left_out
        .iter()
        .all(|left| !left.case.is_empty() && !left.why.is_empty());
    if table.about.is_empty()
        || table.origin.is_empty()
        || !(dated && pathed && reasoned && excused)
    {
        return Err("the table lacks its origin, or a reason".into());
    }
    Ok(())
}
