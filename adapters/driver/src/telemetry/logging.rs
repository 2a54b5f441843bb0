//! Log records of batches and outcomes.

use std::time::Duration;

use fetch_proto::{BatchStats, FetchSample, SampleEnd};
use log::{Level, info, log_enabled, warn};

use crate::LOG_TARGET;
use crate::fields::redact::redact_text;
use crate::model::error::ErrorKind;
use crate::model::outcome::Outcome;

/// Logs that a batch started.
pub(crate) fn log_batch_start(total: Option<u64>) {
    match total {
        Some(total) => {
            let plural = if total == 1 { "" } else { "s" };
            info!(target: LOG_TARGET, total; "batch started: {total} URL{plural}");
        }
        None => info!(target: LOG_TARGET, "batch started"),
    }
}

/// Logs that a batch finished.
pub(crate) fn log_batch_end(stats: &BatchStats, took: Duration) {
    let (successful, failed) = (stats.succeeded(), stats.count() - stats.succeeded());
    let seconds = took.as_secs_f64();
    info!(
        target: LOG_TARGET, successful, failed, total_time = seconds;
        "batch finished: {successful} succeeded, {failed} failed, {seconds:.3} s"
    );
}

/// Logs an outcome.
pub(crate) fn log_outcome(outcome: &Outcome) {
    let level = if outcome.is_success() {
        Level::Info
    } else {
        Level::Warn
    };
    if !log_enabled!(target: LOG_TARGET, level) {
        return;
    }
    let url = redact_text(&outcome.url);
    let duration = outcome.duration().as_secs_f64();
    let (attempts, success) = (outcome.attempts.len(), outcome.is_success());
    match (&outcome.result, outcome.status()) {
        (Ok(_), Some(status)) => {
            let status = status.as_u16();
            log::log!(
                target: LOG_TARGET, level, url:% = url, success, status, duration, attempts;
                "{url}: {status}, {duration:.3} s"
            );
        }
        (Err(error), _) => {
            let reason = error.kind().as_str();
            warn!(
                target: LOG_TARGET, url:% = url, success, duration, attempts, error = reason;
                "{}", error.redacted()
            );
        }
        _ => {}
    }
}

/// Converts an outcome for the batch's statistics.
pub(crate) fn to_sample(outcome: &Outcome) -> FetchSample {
    let last = outcome.attempts.last();
    let ending = match &outcome.result {
        Ok(response) => SampleEnd::Status(response.status.as_u16()),
        Err(error) => match error.kind() {
            ErrorKind::Fetch(fetch_proto::FetchError::Cancelled) => SampleEnd::Cancelled,
            ErrorKind::Fetch(fetch_proto::FetchError::TimedOut(limit)) => {
                SampleEnd::TimedOut(limit)
            }
            kind => SampleEnd::Failed(kind.as_str()),
        },
    };
    FetchSample::new(ending, outcome.duration())
        .attempts(u32::try_from(outcome.attempts.len()).unwrap_or(u32::MAX))
        .retries(u32::from(outcome.retries))
        .redirects(u32::from(outcome.redirects))
        .bytes(outcome.response().map_or(0, |response| response.bytes))
        .first_byte(
            last.and_then(|last| Some(last.timings.head?.saturating_since(last.timings.started))),
        )
}
