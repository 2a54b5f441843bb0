//! One line of text for each URL.

use std::io::Write;

use fetch_proto::{AttemptReport, redact_secrets};

use crate::display::{ByteSize, ShortDuration, escape_unsafe, plural};
use crate::outcome::class::attempt_error_type;
use crate::outcome::kind::OutcomeKind;
use crate::outcome::result::FetchResult;

pub(super) fn write_fetched(out: &mut Vec<u8>, result: &FetchResult<'_>) {
    let outcome = result.outcome;
    let (time, url) = (ShortDuration(outcome.duration()), shown(&outcome.url));
    let written = match outcome.response() {
        Some(response) if result.save_error().is_none() => {
            let (status, bytes) = (response.status.as_u16(), ByteSize(response.bytes));
            write!(out, "{status:<9} {time:>8} {bytes:>10}  {url}")
        }
        _ => write!(out, "{:<9} {time:>8} {:>10}  {url}", result.class.kind, "-"),
    };
    written.expect("a vector takes every write");
    let mut notes = Vec::new();
    if outcome.retries > 0 {
        let results: Vec<_> = outcome.attempts.iter().map(attempt_result).collect();
        notes.push(format!(
            "{}: {}",
            plural(outcome.retries.into(), "retry", "retries"),
            results.join(", ")
        ));
    }
    if outcome.redirects > 0 {
        notes.push(plural(outcome.redirects.into(), "redirect", "redirects"));
    }
    if let Some(step) = outcome.error().and_then(fetch_driver::Error::step) {
        notes.push(step.to_owned());
    }
    if let Some(file) = result.saved.and_then(|saved| saved.file.as_deref()) {
        notes.push(file.to_owned());
    }
    notes.extend(result.save_error().map(str::to_owned));
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!("  ({})", escape_unsafe(&notes.join("; ")))
    };
    writeln!(out, "{notes}").expect("a vector takes every write");
}

/// Writes the line of a URL that was not fetched.
pub(super) fn write_unfetched(out: &mut Vec<u8>, outcome: OutcomeKind, text: &str) {
    writeln!(out, "{outcome:<9} {:>8} {:>10}  {}", "-", "-", shown(text))
        .expect("a vector takes every write");
}

/// A URL as people may see it: without secrets, and without characters that a terminal obeys.
fn shown(url: &str) -> String {
    escape_unsafe(&redact_secrets(url)).into_owned()
}

fn attempt_result(attempt: &AttemptReport) -> String {
    match (attempt_error_type(attempt.end), attempt.status) {
        (Some(error), _) => error.to_owned(),
        (None, Some(status)) => status.to_string(),
        (None, None) => "?".to_owned(),
    }
}
