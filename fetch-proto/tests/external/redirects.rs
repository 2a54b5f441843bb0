//! What follows a redirect.

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::script::{Given, describe, end, play};
use crate::table;

pub(crate) fn got(set: &str) -> Result<(), Failed> {
    table::run(set, include_str!("data/redirects_got.json"), requests)
}

pub(crate) fn wpt(set: &str) -> Result<(), Failed> {
    let json = include_str!("data/redirects_wpt.json");
    table::run(set, json, last_request)
}

/// Every request in words, and how the fetch ended.
fn requests(given: &Given) -> Value {
    let run = play(given);
    let sent: Vec<_> = run
        .attempts()
        .iter()
        .map(|sent| describe(given, sent))
        .collect();
    json!({ "requests": sent, "end": end(&run) })
}

/// How many requests there were, the last of them, and how the fetch ended.
fn last_request(given: &Given) -> Value {
    let run = play(given);
    let last = run.attempts().last().map(|sent| describe(given, sent));
    json!({ "requests": run.attempts().len(), "last": last, "end": end(&run) })
}
