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

/// The numbers that the driver's batch statistics do not have.
#[derive(Debug, Default)]
pub(crate) struct RunTally {
    pub(crate) down_hosts: DownHosts,
    pub(crate) errors: ErrorTally,
    /// URLs that redirected to one that robots.txt forbids. They are in none of the numbers of ended
    /// URLs here.
    pub(crate) disallowed: u64,
    pub(crate) hosts: HostTallies,
    pub(crate) retries: RetryTally,
    pub(crate) slowest: SlowestFetches,
    /// The number of complete responses by status.
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
        self.down_hosts.record(outcome);
        self.errors.record_result(result, at);
        if let Some(host) = result.host() {
            let fetch = HostTally::of_fetch(outcome.duration(), !is_ok, outcome.retries.into());
            self.hosts.record(host, &fetch);
        }
        self.slowest.record(result);
        self.times.record(outcome.duration());
        if let Some(status) = outcome.status() {
            *self.statuses.entry(status.as_u16()).or_default() += 1;
        }
        self.timeline.record_end(at, is_ok);
    }
}

fn started(attempt: &AttemptReport) -> Duration {
    attempt.timings.started.since_start()
}
