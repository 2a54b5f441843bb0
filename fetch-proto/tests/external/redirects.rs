//! Redirects.

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::script::{ScriptCase, describe, end, play};
use crate::table;

pub(crate) fn got(set: &str) -> Result<(), Failed> {
    table::run(set, include_str!("data/redirects_got.json"), requests)
}

pub(crate) fn wpt(set: &str) -> Result<(), Failed> {
    let json = include_str!("data/redirects_wpt.json");
    table::run(set, json, last_request)
}

/// Every request as text, and how the fetch ended.
fn requests(given: &ScriptCase) -> Value {
    let run = play(given);
    let sent: Vec<_> = run
        .attempts()
        .iter()
        .map(|sent| describe(given, sent))
        .collect();
    json!({ "requests": sent, "end": end(&run) })
}

/// The number of requests, the last request, and how the fetch ended.
fn last_request(given: &ScriptCase) -> Value {
    let run = play(given);
    let last = run.attempts().last().map(|sent| describe(given, sent));
    json!({ "requests": run.attempts().len(), "last": last, "end": end(&run) })
}
