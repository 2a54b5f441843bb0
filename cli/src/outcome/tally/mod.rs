//! Statistics of a run, in memory that does not grow with the list.

mod down_hosts;
mod retries;
mod slowest;
mod timeline;

use std::collections::BTreeMap;
use std::time::Duration;

use fetch_driver::AttemptReport;
use fetch_proto::DurationHistogram;

use crate::outcome::errors::ErrorTally;
use crate::outcome::hosts::{HostTallies, HostTally};
use crate::outcome::kind::OutcomeKind;
use crate::outcome::result::FetchResult;
pub(crate) use down_hosts::DownHosts;
pub(crate) use retries::RetryTally;
pub(crate) use slowest::SlowestFetches;
pub(crate) use timeline::{RunTimeline, STEPS, TimelineBucket};

/// How many URLs have a record of each kind. Cancelled fetches are not counted: another run repeats them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EndCounts {
    /// All others: bodies that could not be saved or have another checksum are among them.
    pub(crate) failed: u64,
    pub(crate) http_errors: u64,
    pub(crate) ok: u64,
}

impl EndCounts {
    pub(crate) const fn all(self) -> u64 {
        self.failed + self.http_errors + self.ok
    }

    const fn record(&mut self, kind: OutcomeKind) {
        match kind {
            OutcomeKind::Cancelled | OutcomeKind::Robots => {}
            OutcomeKind::HttpError => self.http_errors += 1,
            OutcomeKind::Ok => self.ok += 1,
            _ => self.failed += 1,
        }
    }
}

/// The numbers that the driver's batch statistics do not have.
#[derive(Debug, Default)]
pub(crate) struct RunTally {
    pub(crate) down_hosts: DownHosts,
    pub(crate) ends: EndCounts,
    pub(crate) errors: ErrorTally,
    /// URLs that redirected to one that robots.txt forbids. They are in none of the numbers of ended
    /// URLs here.
    pub(crate) disallowed: u64,
    pub(crate) hosts: HostTallies,
    pub(crate) retries: RetryTally,
    pub(crate) slowest: SlowestFetches,
    /// The number of complete responses by status, without those whose bodies were not saved.
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) timeline: RunTimeline,
    /// The durations of fetches.
    pub(crate) times: DurationHistogram,
    pub(crate) wire_bytes: u64,
}

impl RunTally {
    /// Counts the end of a fetch.
    pub(crate) fn record(&mut self, result: &FetchResult<'_>) {
        let outcome = result.outcome;
        let is_ok = result.class.kind == OutcomeKind::Ok;
        // A fetch without an attempt has no end time: the latest time is used.
        let at = match outcome.attempts.is_empty() {
            true => self.timeline.latest(),
            false => outcome.timings.ended.since_start(),
        };
        self.retries.record(outcome);
        self.timeline.record_bytes(at, outcome.wire_bytes);
        self.wire_bytes += outcome.wire_bytes;
        for (n, attempt) in outcome.attempts.iter().enumerate() {
            if !attempt.is_request_sent() {
                continue;
            }
            self.timeline.record_request(started(attempt), n > 0);
        }
        if result.class.kind == OutcomeKind::Robots {
            self.disallowed += 1;
            return;
        }
        self.ends.record(result.class.kind);
        self.down_hosts.record(outcome);
        self.errors.record_result(result, at);
        if let Some(host) = result.host() {
            let fetch = HostTally::of_fetch(outcome.duration(), !is_ok, outcome.retries.into());
            self.hosts.record(host, &fetch);
        }
        self.slowest.record(result);
        self.times.record(outcome.duration());
        let is_response = is_ok || result.class.kind == OutcomeKind::HttpError;
        if let Some(status) = outcome.status().filter(|_| is_response) {
            *self.statuses.entry(status.as_u16()).or_default() += 1;
        }
        self.timeline.record_end(at, is_ok);
    }
}

fn started(attempt: &AttemptReport) -> Duration {
    attempt.timings.started.since_start()
}
