//! What is kept of a run while it goes on: numbers, in bounded memory.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use fetch_driver::{Outcome, Redacted};
use fetch_proto::BatchStats;

use crate::ended::Ended;
use crate::exit::Stop;
use crate::hosts::Hosts;
use crate::input::Shared;
use crate::output::Writer;
use crate::record::{self, Told};
use crate::save::Kept;
use crate::state;
use crate::summary::{Errors, Summary};
use crate::verdict::Verdict;

/// The numbers, and where each outcome is written.
pub(crate) struct Batch {
    errors: Errors,
    fail: bool,
    hosts: Hosts,
    kept: Option<state::Kept>,
    pub(crate) shared: Arc<Shared>,
    /// Bodies that came well and were not kept.
    unkept: u64,
    wire_bytes: u64,
    pub(crate) writer: Writer,
}

impl Batch {
    pub(crate) fn new(
        shared: Arc<Shared>,
        writer: Writer,
        fail: bool,
        kept: Option<state::Kept>,
    ) -> Self {
        let (errors, hosts) = (Errors::default(), Hosts::default());
        Self {
            errors,
            fail,
            hosts,
            kept,
            shared,
            unkept: 0,
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
        self.unkept += u64::from(ended.trouble().is_some());
        self.wire_bytes += outcome.wire_bytes;
        self.writer.tell(&Told::Ended(&ended));
        verdict.code.is_some()
    }

    /// How many were skipped because they are done, and how many of these had failed.
    pub(crate) fn skipped(&self) -> (u64, u64) {
        let kept = self.kept.as_ref();
        kept.map_or((0, 0), |kept| kept.ledger.skipped())
    }

    /// How many were not fetched, since their files are there.
    pub(crate) fn existing(&self) -> u64 {
        self.shared.skipped.load(Relaxed)
    }

    /// Lets the writing end; `all` says that everything that was read was fetched.
    pub(crate) fn end(&self, all: bool) {
        if let Some(kept) = &self.kept
            && all
            && !self.shared.unread.load(Relaxed)
        {
            kept.ledger.set_complete();
        }
        self.writer.close();
    }

    /// An error if the state could not be asked to the end.
    pub(crate) fn check_state(&self) -> Result<(), Stop> {
        let lost = self.shared.state_lost.lock();
        match (&self.kept, &*lost.unwrap_or_else(PoisonError::into_inner)) {
            (Some(kept), Some(error)) => {
                let what = "cannot be read further";
                Err(state::stop(&kept.directory, error, what))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn summary<'a>(
        &'a self,
        elapsed: Duration,
        stats: &'a BatchStats,
        stopped: Option<&'a str>,
    ) -> Summary<'a> {
        Summary {
            disallowed: self.shared.disallowed.load(Relaxed),
            duplicates: self.shared.duplicates.load(Relaxed),
            elapsed,
            errors: &self.errors,
            existing: self.existing(),
            hosts: &self.hosts,
            go_on: self.kept.is_some(),
            malformed: self.shared.malformed.load(Relaxed),
            skipped: self.skipped(),
            stats,
            stopped,
            unfinished: (self.shared.urls.load(Relaxed) + stats.cancelled())
                .saturating_sub(stats.count()),
            unkept: self.unkept,
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
