//! Tables of cases.

use std::fmt::Write;

use libtest_mimic::Failed;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseTable<G> {
    /// The subject of the table, for readers.
    about: String,
    origin: Vec<TableOrigin>,
    cases: Vec<TableCase<G>>,
    #[serde(default)]
    left_out: Vec<OmittedCase>,
}

/// The source of the facts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableOrigin {
    repository: String,
    path: String,
    commit: String,
    licence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableCase<G> {
    name: String,
    given: G,
    /// The published result.
    expect: Value,
    deliberate: Option<DeliberateDifference>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeliberateDifference {
    ours: Value,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OmittedCase {
    case: String,
    why: String,
}

/// Runs every case of the table `json`, prints the score, and fails on any undeclared difference.
pub(crate) fn run<G: DeserializeOwned>(
    set: &str,
    json: &str,
    answer: impl Fn(&G) -> Value,
) -> Result<(), Failed> {
    let table: CaseTable<G> =
        serde_json::from_str(json).map_err(|error| format!("{set}: {error}"))?;
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

/// Checks that the table has its origin, and every difference and omission its reason.
fn check_notes<G>(table: &CaseTable<G>) -> Result<(), Failed> {
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
