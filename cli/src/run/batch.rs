//! What is kept of a run while it goes on: numbers, in bounded memory.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use fetch_driver::Outcome;
use fetch_proto::BatchStats;

use crate::exit::CliError;
use crate::input::SharedProgress;
use crate::outcome::result::Ended;
use crate::outcome::saved_body::Kept;
use crate::outcome::tally::Tally;
use crate::outcome::verdict::Verdict;
use crate::output::Writer;
use crate::output::record::Told;
use crate::state;
use crate::ui::monitor::Statsd;
use crate::ui::summary::Summary;

/// The numbers, and where each outcome is written.
pub(crate) struct Batch {
    fail: bool,
    kept: Option<state::Kept>,
    pub(crate) shared: Arc<SharedProgress>,
    pub(crate) tally: Tally,
    /// Bodies that came well and were not kept.
    unkept: u64,
    pub(crate) writer: Writer,
}

impl Batch {
    pub(crate) fn new(
        shared: Arc<SharedProgress>,
        writer: Writer,
        fail: bool,
        kept: Option<state::Kept>,
    ) -> Self {
        Self {
            fail,
            kept,
            shared,
            tally: Tally::default(),
            unkept: 0,
            writer,
        }
    }

    /// Counts an outcome and writes it. Whether it failed.
    pub(crate) fn take(
        &mut self,
        outcome: &Outcome,
        kept: Option<&Kept>,
        statsd: Option<&mut Statsd>,
    ) -> bool {
        let ended = Ended::new(outcome, Verdict::new(outcome, self.fail), kept);
        if let Some(code) = ended.verdict.code {
            self.shared.worst.note(code);
        }
        self.tally.record(&ended);
        if let Some(backlog) = &self.shared.backlog {
            backlog.end(outcome);
        }
        if let Some(statsd) = statsd {
            statsd.ended(&ended);
        }
        self.unkept += u64::from(ended.trouble().is_some());
        self.writer.tell(&Told::Ended(&ended));
        ended.verdict.code.is_some()
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
    pub(crate) fn check_state(&self) -> Result<(), CliError> {
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
            existing: self.existing(),
            go_on: self.kept.is_some(),
            malformed: self.shared.malformed.load(Relaxed),
            skipped: self.skipped(),
            stats,
            stopped,
            tally: &self.tally,
            unfinished: (self.shared.urls.load(Relaxed) + stats.cancelled())
                .saturating_sub(stats.count()),
            unkept: self.unkept,
        }
    }
}
