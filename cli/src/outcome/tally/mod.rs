//! What is known of a run while it goes on and at its end: numbers, in memory that does not grow
//! with the list.

mod retries;
mod slowest;
mod timeline;

use std::collections::BTreeMap;
use std::time::Duration;

use fetch_driver::AttemptReport;
use fetch_proto::Histogram;

use crate::outcome::errors::Errors;
use crate::outcome::hosts::{Host, Hosts};
use crate::outcome::result::Ended;
pub(crate) use retries::Retries;
pub(crate) use slowest::Slowest;
pub(crate) use timeline::{Bucket, STEPS, Timeline};

/// The numbers that are not in the batch's own statistics.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) errors: Errors,
    pub(crate) hosts: Hosts,
    pub(crate) retries: Retries,
    pub(crate) slowest: Slowest,
    /// How many complete responses had which status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) timeline: Timeline,
    /// How long fetches took, those left out that never began or were given up at a signal.
    pub(crate) times: Histogram,
    pub(crate) wire_bytes: u64,
}

impl Tally {
    /// Counts the end of a fetch.
    pub(crate) fn record(&mut self, ended: &Ended<'_>) {
        let outcome = ended.outcome;
        let is_ok = ended.verdict.outcome == "ok";
        // What never began has no time of its own: it ended now.
        let at = match outcome.attempts.is_empty() {
            true => self.timeline.latest(),
            false => outcome.timings.ended.since_start(),
        };
        self.errors.note(ended, at);
        if let Some(host) = ended.host() {
            let fetch = Host::fetch(outcome.duration(), !is_ok, outcome.retries.into());
            self.hosts.record(host, &fetch);
        }
        self.retries.record(outcome);
        self.slowest.record(ended);
        self.times.record(outcome.duration());
        if let Some(status) = outcome.status() {
            *self.statuses.entry(status.as_u16()).or_default() += 1;
        }
        self.timeline.end(at, is_ok, outcome.wire_bytes);
        for (n, attempt) in outcome.attempts.iter().enumerate() {
            self.timeline.request(started(attempt), n > 0);
        }
        self.wire_bytes += outcome.wire_bytes;
    }
}

fn started(attempt: &AttemptReport) -> Duration {
    attempt.timings.started.since_start()
}
