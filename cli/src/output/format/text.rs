//! One line for people for each URL.

use std::io::Write;

use crate::display::{Bytes, Time, plural};
use crate::outcome::result::Ended;

/// Writes the line of an outcome.
pub(crate) fn write(out: &mut Vec<u8>, ended: &Ended<'_>) {
    let (outcome, verdict) = (ended.outcome, ended.verdict);
    let time = Time(outcome.duration());
    let result = match outcome.response() {
        Some(response) if ended.trouble().is_none() => {
            let (status, bytes) = (response.status.as_u16(), Bytes(response.bytes));
            write!(out, "{status:<9} {time:>8} {bytes:>10}  {}", outcome.url)
        }
        _ => {
            write!(
                out,
                "{:<9} {time:>8} {:>10}  {}",
                verdict.outcome, "-", outcome.url
            )
        }
    };
    result.expect("memory takes everything");
    let mut notes = Vec::new();
    if outcome.retries > 0 {
        let ends: Vec<_> = outcome.attempts.iter().map(end).collect();
        notes.push(format!(
            "{}: {}",
            plural(outcome.retries.into(), "retry", "retries"),
            ends.join(", ")
        ));
    }
    if outcome.redirects > 0 {
        notes.push(plural(outcome.redirects.into(), "redirect", "redirects"));
    }
    if let Some(step) = outcome.error().and_then(fetch_driver::Error::step) {
        notes.push(step.to_owned());
    }
    if let Some(file) = ended.kept.and_then(|kept| kept.file.as_deref()) {
        notes.push(file.to_owned());
    }
    notes.extend(ended.trouble().map(str::to_owned));
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!("  ({})", notes.join("; "))
    };
    writeln!(out, "{notes}").expect("memory takes everything");
}

/// Writes the line of what was not fetched, and why.
pub(crate) fn write_unfetched(out: &mut Vec<u8>, why: &str, text: &str) {
    writeln!(out, "{why:<9} {:>8} {:>10}  {text}", "-", "-").expect("memory takes everything");
}

fn end(attempt: &fetch_proto::AttemptReport) -> String {
    let error = crate::outcome::verdict::attempt_error(attempt.end);
    match (error, attempt.status) {
        (Some(error), _) => error.to_owned(),
        (None, Some(status)) => status.to_string(),
        (None, None) => "?".to_owned(),
    }
}
