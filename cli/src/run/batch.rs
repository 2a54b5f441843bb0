//! What is kept of a run while it goes on: numbers, in bounded memory.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fetch_driver::{Outcome, Redacted};
use fetch_proto::BatchStats;

use crate::ended::Ended;
use crate::hosts::Hosts;
use crate::input::Shared;
use crate::output::Writer;
use crate::record::{self, Told};
use crate::save::Kept;
use crate::summary::{Errors, Summary};
use crate::verdict::Verdict;

/// The numbers, and where each outcome is written.
pub(crate) struct Batch {
    errors: Errors,
    fail: bool,
    hosts: Hosts,
    pub(crate) shared: Arc<Shared>,
    wire_bytes: u64,
    pub(crate) writer: Writer,
}

impl Batch {
    pub(crate) fn new(shared: Arc<Shared>, writer: Writer, fail: bool) -> Self {
        let (errors, hosts) = (Errors::default(), Hosts::default());
        Self {
            errors,
            fail,
            hosts,
            shared,
            wire_bytes: 0,
            writer,
        }
    }

    /// Counts an outcome and writes it. Whether it failed.
    pub(crate) fn take(&mut self, outcome: &Outcome, kept: Option<&Kept>) -> bool {
        let ended = Ended::new(outcome, Verdict::new(outcome, self.fail), kept);
        let (verdict, host) = (ended.verdict, ended.host());
        if let Some(code) = verdict.code {
            self.shared.worst.note(code);
        }
        if let Some(kind) = record::error_type(&ended) {
            self.errors
                .record(verdict.outcome, kind, || example(outcome));
        }
        if let Some(host) = host {
            self.hosts
                .record(host, outcome.duration(), verdict.outcome != "ok");
        }
        self.wire_bytes += outcome.wire_bytes;
        self.writer.tell(&Told::Ended(&ended));
        verdict.code.is_some()
    }

    pub(crate) fn summary<'a>(
        &'a self,
        elapsed: Duration,
        stats: &'a BatchStats,
        stopped: Option<&'a str>,
    ) -> Summary<'a> {
        Summary {
            elapsed,
            errors: &self.errors,
            hosts: &self.hosts,
            malformed: self.shared.malformed.load(Relaxed),
            stats,
            stopped,
            unfinished: (self.shared.urls.load(Relaxed) + stats.cancelled())
                .saturating_sub(stats.count()),
            wire_bytes: self.wire_bytes,
        }
    }
}

/// The URL without its secrets, for who reads the summary in some log.
fn example(outcome: &Outcome) -> String {
    let first = outcome.attempts.first();
    first.map_or_else(
        || outcome.url.clone(),
        |first| Redacted(&first.url).to_string(),
    )
}
