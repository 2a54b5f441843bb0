//! Log records of batches and outcomes.

use std::time::Duration;

use fetch_proto::{BatchStats, DecisionEvent, FetchSample, SampleEnd, Timestamp, TokenFailure};
use log::{Level, info, log_enabled, warn};

use crate::fields::redact::redact_text;
use crate::model::error::ErrorKind;
use crate::model::outcome::Outcome;
use crate::{HOST_LOG_TARGET, LOG_TARGET};

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
pub(crate) fn log_batch_completion(stats: &BatchStats, took: Duration) {
    let (successful, failed) = (stats.succeeded(), stats.count() - stats.succeeded());
    let seconds = took.as_secs_f64();
    info!(
        target: LOG_TARGET, successful, failed, total_time = seconds;
        "batch finished: {successful} succeeded, {failed} failed, {seconds:.3} s"
    );
}

/// Logs an outcome.
pub(crate) fn log_request_result(outcome: &Outcome) {
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

/// Logs an event about a whole host: that it is down, back, given up, paused, or limits the rate of requests.
/// False for all other events.
pub(crate) fn log_host_event(event: &DecisionEvent, now: Timestamp) -> bool {
    match event {
        DecisionEvent::HostDown {
            cause,
            gives_up_at,
            host,
            waiting,
        } => {
            let seconds = gives_up_at.saturating_since(now).as_secs_f64();
            let urls = if *waiting == 1 {
                "URL waits"
            } else {
                "URLs wait"
            };
            warn!(
                target: HOST_LOG_TARGET,
                "{host} is down ({cause}): {waiting} {urls} for it, for at most {seconds:.0} s"
            );
        }
        DecisionEvent::HostGivenUp {
            cause,
            down_for,
            ended,
            host,
        } => {
            let seconds = down_for.as_secs_f64();
            let urls = if *ended == 1 { "URL" } else { "URLs" };
            warn!(
                target: HOST_LOG_TARGET,
                "{host} is given up after {seconds:.0} s ({cause}): {ended} {urls} failed"
            );
        }
        DecisionEvent::HostRecovered { down_for, host } => {
            let seconds = down_for.as_secs_f64();
            info!(target: HOST_LOG_TARGET, "{host} is back after {seconds:.1} s");
        }
        DecisionEvent::HostPaused { host, pause } if *pause >= DecisionEvent::LONG_PAUSE => {
            let seconds = pause.as_secs_f64();
            warn!(
                target: HOST_LOG_TARGET,
                "{host} asked for a pause of {seconds:.0} s (Retry-After or RateLimit): its URLs wait"
            );
        }
        // Other failures are logged with their cause where they are reported.
        DecisionEvent::TokenFailed {
            failure: TokenFailure::Useless,
            profile,
        } => warn!(
            target: HOST_LOG_TARGET,
            "{profile}: the servers refuse each new token by 401: no more are acquired"
        ),
        DecisionEvent::PacingStarted { host, .. } => warn!(
            target: HOST_LOG_TARGET,
            "{host} limits the rate of requests (status 429 or 503): requests are slowed down"
        ),
        DecisionEvent::PacingEnded { host } => info!(
            target: HOST_LOG_TARGET,
            "{host} accepts requests again: they are no longer slowed down"
        ),
        _ => return false,
    }
    true
}

/// Converts an outcome for the batch's statistics.
pub(crate) fn to_sample(outcome: &Outcome) -> FetchSample {
    let last = outcome.attempts.last();
    let attempts = outcome.attempts.iter();
    let sent = attempts.filter(|one| one.is_request_sent()).count();
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
        .attempts(u32::try_from(sent).unwrap_or(u32::MAX))
        .retries(u32::from(outcome.retries))
        .redirects(u32::from(outcome.redirects))
        .bytes(outcome.response().map_or(0, |response| response.bytes))
        .first_byte(
            last.and_then(|last| Some(last.timings.head?.saturating_since(last.timings.started))),
        )
}
