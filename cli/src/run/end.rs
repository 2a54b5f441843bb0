//! The end: what is left is written, told, and judged.

use std::io::Write;
use std::num::NonZeroU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use fetch_driver::FetchAll;

use super::{End, Run};
use crate::commands::demo;
use crate::exit::{CliError, ExitStatus};
use crate::output::{Flushed, Output, PATIENCE};
use crate::plan::CookieFile;
use crate::robots::AdmittedRequests;
use crate::ui::report::{self, Report};
use crate::ui::summary::Summary;

/// How long a second signal leaves to write what is known.
const LAST_WAIT: Duration = Duration::from_millis(500);

impl Run {
    /// Writes all that is left, tells the summary, and chooses the exit code.
    pub(super) fn finish(
        mut self,
        end: End,
        outcomes: FetchAll<AdmittedRequests>,
        output: Output,
        demo: bool,
    ) -> Result<u8, CliError> {
        let elapsed = self.started.elapsed();
        self.batch.shared.stopped.store(true, Relaxed);
        let kept = self.keep_rest();
        let written = self.write_rest(end, output);
        let cookies = self.cookies.as_ref().map_or(Ok(()), CookieFile::write);
        self.progress.clear();
        if matches!(written, Ok(false)) {
            // Who reads the records has enough: no reason to say more.
            return Ok(0);
        }
        let counts = self.counts(&outcomes);
        if let Some(statsd) = self.monitor.statsd() {
            statsd.flush(&counts);
        }
        let stopped = self.stopped(end);
        let summary = self.batch.summary(elapsed, outcomes.stats(), stopped);
        if !self.silent {
            let _ = std::io::stderr().write_all(summary.to_string().as_bytes());
        }
        let state = self.batch.check_state();
        if matches!(end, End::Deadline | End::FailEarly) {
            self.batch.shared.worst.note(ExitStatus::Unfinished);
        }
        let ends = [written.map(drop), kept, cookies, state];
        let ended = ends.into_iter().collect::<Result<(), CliError>>();
        let code = match &ended {
            Ok(()) => self.code(demo),
            Err(stop) => stop.code as u8,
        };
        // Written also where the run ended badly.
        let report = self.report(code, &summary);
        ended.and(report)?;
        if demo && !self.silent && self.signals.code() == 0 {
            let _ = writeln!(std::io::stderr(), "\n{}", demo::HINT);
        }
        Ok(code)
    }

    /// Why it ended before all was fetched, if it did.
    fn stopped(&self, end: End) -> Option<&'static str> {
        match end {
            End::Deadline => Some("--deadline"),
            End::DiskFull => Some("bodies can be kept no more"),
            End::FailEarly if self.max_errors == Some(NonZeroU64::MIN) => {
                Some("after the first failure, as asked for")
            }
            End::FailEarly => Some("--max-errors: too many failures"),
            _ if self.signals.count() > 0 => Some("by a signal"),
            _ => None,
        }
    }

    /// Writes the page that tells of it, if one is asked for.
    fn report(&self, code: u8, summary: &Summary<'_>) -> Result<(), CliError> {
        self.report.as_ref().map_or(Ok(()), |file| {
            let report = Report {
                code,
                engine: self.fetcher.stats(),
                started: self.epoch,
                summary,
            };
            report::write(file, &report)
        })
    }

    /// Takes what is being kept still, and ends the archives.
    fn keep_rest(&mut self) -> Result<(), CliError> {
        let Some(mut keeper) = self.keeper.take() else {
            return Ok(());
        };
        while self.signals.count() < 2
            && let Some((outcome, kept)) = keeper.drain()
        {
            if kept.error.is_none() || keeper.store.is_full().is_none() {
                self.batch
                    .take(&outcome, Some(&kept), self.monitor.statsd());
            }
        }
        let ended = keeper.store.finish();
        match keeper.store.is_full() {
            Some(full) => Err(CliError::file(format!(
                "{full}: stopped, as no more bodies can be kept: make room, and run it again"
            ))),
            None => ended.map_err(CliError::file),
        }
    }

    /// Writes what is left; not much longer after a second signal.
    fn write_rest(&mut self, end: End, output: Output) -> Result<bool, CliError> {
        let begin = Instant::now();
        let give_up = || self.signals.count() > 1 && begin.elapsed() > LAST_WAIT;
        while self.batch.writer.try_flush() == Flushed::Full && !give_up() {
            std::thread::sleep(PATIENCE);
        }
        let all = end == End::Finished && self.signals.count() == 0;
        self.batch.end(all);
        output.finish(give_up)
    }

    /// What to exit with if all could be written.
    fn code(&self, demo: bool) -> u8 {
        match self.signals.code() {
            // What fails in the demo is meant to.
            0 if demo => 0,
            0 => self.batch.shared.worst.get(),
            signal => signal,
        }
    }
}
