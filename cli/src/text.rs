//! One line for people for each URL.

use std::io::Write;

use fetch_driver::Outcome;

use crate::show::{Bytes, Time, plural};
use crate::verdict::Verdict;

/// Writes the line of an outcome.
pub(crate) fn write(out: &mut Vec<u8>, outcome: &Outcome, verdict: Verdict) {
    let time = Time(outcome.duration());
    let result = match outcome.response() {
        Some(response) => {
            let (status, bytes) = (response.status.as_u16(), Bytes(response.bytes));
            write!(out, "{status:<9} {time:>8} {bytes:>10}  {}", outcome.url)
        }
        None => {
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
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!("  ({})", notes.join("; "))
    };
    writeln!(out, "{notes}").expect("memory takes everything");
}

/// Writes the line of a line that is no URL.
pub(crate) fn write_invalid(out: &mut Vec<u8>, text: &str) {
    writeln!(out, "{:<9} {:>8} {:>10}  {text}", "invalid", "-", "-")
        .expect("memory takes everything");
}

fn end(attempt: &fetch_proto::AttemptReport) -> String {
    let error = crate::verdict::attempt_error(attempt.end);
    match (error, attempt.status) {
        (Some(error), _) => error.to_owned(),
        (None, Some(status)) => status.to_string(),
        (None, None) => "?".to_owned(),
    }
}
