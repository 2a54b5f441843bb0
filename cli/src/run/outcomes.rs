//! Counting and writing of outcomes, in bounded memory.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fetch_driver::{Cache, Outcome};
use fetch_proto::{BatchStats, EngineStats};
use fetch_state::SkippedClaims;

use crate::exit::CliError;
use crate::input::SharedProgress;
use crate::mutex::lock;
use crate::outcome::class::OutcomeClass;
use crate::outcome::result::FetchResult;
use crate::outcome::saved_body::SavedBody;
use crate::outcome::tally::RunTally;
use crate::output::RecordWriter;
use crate::output::etag_file::EtagFile;
use crate::output::head_dump::HeadDump;
use crate::output::record::RecordInput;
use crate::state::{StateView, state_error};
use crate::ui::host_waits::HostWaits;
use crate::ui::long_downloads::LongDownloads;
use crate::ui::monitor::StatsdReporter;
use crate::ui::redirect_notes::RedirectNotes;
use crate::ui::summary::RunSummary;

/// The most hosts of URLs without a record that are listed, in the report.
const MAX_UNFINISHED_HOSTS: usize = 1_000;

/// The numbers of a run, and the writer of its records.
pub(crate) struct RunOutcomes {
    cache: Option<Cache>,
    fail: bool,
    pub(crate) etag: Option<EtagFile>,
    pub(crate) heads: Option<HeadDump>,
    pub(crate) redirects: RedirectNotes,
    pub(crate) shared: Arc<SharedProgress>,
    state: Option<StateView>,
    pub(crate) tally: RunTally,
    pub(crate) writer: RecordWriter,
}

impl RunOutcomes {
    /// `fail` is the option `--fail`. `has_files` is true if every body becomes a file.
    pub(crate) fn new(
        shared: Arc<SharedProgress>,
        writer: RecordWriter,
        fail: bool,
        has_files: bool,
        state: Option<StateView>,
    ) -> Self {
        Self {
            cache: None,
            fail,
            etag: None,
            heads: None,
            redirects: RedirectNotes::new(has_files),
            shared,
            state,
            tally: RunTally::default(),
            writer,
        }
    }

    /// The same, with the files of `--dump-header` and `--etag-save`.
    pub(crate) fn with_files(self, heads: Option<HeadDump>, etag: Option<EtagFile>) -> Self {
        Self {
            etag,
            heads,
            ..self
        }
    }

    /// The same, with the cache.
    pub(crate) fn with_cache(self, cache: Option<Cache>) -> Self {
        Self { cache, ..self }
    }

    /// Counts an outcome and writes its record. True if it failed.
    pub(crate) fn record(
        &mut self,
        outcome: &Outcome,
        saved: Option<&SavedBody>,
        statsd: Option<&mut StatsdReporter>,
    ) -> bool {
        let result = FetchResult::new(outcome, OutcomeClass::new(outcome, self.fail), saved);
        if let Some(code) = result.class.exit_code {
            self.shared.exit_status.record(code);
        }
        self.tally.record(&result);
        // A body with a wrong checksum is fetched again the next time.
        if let (Some(cache), OutcomeClass::CHECKSUM, Ok(response)) =
            (&self.cache, result.class, &outcome.result)
        {
            smol::block_on(cache.remove(&response.url));
        }
        if let Some(etag) = &mut self.etag {
            etag.add(outcome);
        }
        if let Some(heads) = &mut self.heads {
            heads.add(outcome);
        }
        if let Some(backlog) = &self.shared.backlog {
            backlog.end(outcome);
        }
        if let Some(statsd) = statsd {
            statsd.record(&result);
        }
        self.writer.push(&RecordInput::Fetched(&result));
        result.class.exit_code.is_some()
    }

    /// The URLs that the state skipped.
    pub(crate) fn skipped_by_state(&self) -> SkippedClaims {
        let state = self.state.as_ref();
        state.map_or_else(SkippedClaims::default, |state| state.ledger.skipped())
    }

    /// The number of URLs whose files existed already.
    pub(crate) fn existing(&self) -> u64 {
        self.shared.skipped.load(Relaxed)
    }

    /// Closes the writer. `is_complete`: every URL that was read has been fetched.
    pub(crate) fn close(&self, is_complete: bool) {
        if let Some(state) = &self.state
            && is_complete
            && !self.shared.unread.load(Relaxed)
        {
            state.ledger.set_complete();
        }
        self.writer.close();
    }

    /// The error of reading the state, if that failed.
    pub(crate) fn check_state(&self) -> Result<(), CliError> {
        match (&self.state, &*lock(&self.shared.state_lost)) {
            (Some(state), Some(error)) => {
                let what = "cannot be read further";
                Err(state_error(&state.directory, error, what))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn summary<'a>(
        &'a self,
        elapsed: Duration,
        (stats, engine): (&'a BatchStats, EngineStats),
        stopped: Option<&'a str>,
        (host_waits, long_downloads): (&'a HostWaits, &'a LongDownloads),
    ) -> RunSummary<'a> {
        let backlog = self.shared.backlog.as_ref();
        let unfinished_hosts = backlog.map(|backlog| backlog.top(MAX_UNFINISHED_HOSTS));
        let unfinished_hosts = unfinished_hosts.unwrap_or_default().into_iter();
        let skipped = self.skipped_by_state();
        RunSummary {
            cache: None,
            can_resume: self.state.is_some(),
            completed_before: (skipped.completed, skipped.failed),
            disallowed: self.shared.disallowed.load(Relaxed) + self.tally.disallowed,
            duplicates: self.shared.duplicates.load(Relaxed) + skipped.duplicates,
            elapsed,
            engine,
            existing: self.existing(),
            host_waits,
            long_downloads,
            malformed: self.shared.malformed.load(Relaxed),
            redirects: &self.redirects,
            stats,
            stopped,
            tally: &self.tally,
            unfinished: self
                .shared
                .urls
                .load(Relaxed)
                .saturating_sub(self.tally.ends.all() + self.tally.disallowed),
            unfinished_hosts: unfinished_hosts
                .map(|(origin, queue)| (origin, queue.waiting))
                .filter(|(_, waiting)| *waiting > 0)
                .collect(),
        }
    }
}
