//! The end of a run: flush, summary, report, exit code.

use std::io::Write;
use std::num::NonZeroU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use fetch_driver::FetchAll;

use super::{ActiveRun, RunEnd};
use crate::exit::{CliError, ExitStatus};
use crate::output::etag_file::EtagFile;
use crate::output::head_dump::HeadDump;
use crate::output::{FlushResult, RETRY_DELAY};
use crate::plan::HstsFile;
use crate::robots::AdmittedRequests;
use crate::ui::report::{self, RunReport};
use crate::ui::summary::{CacheCounts, RunSummary};
use crate::writer::OutputThread;

/// The time to flush records after a second signal.
const ABORT_TIMEOUT: Duration = Duration::from_millis(500);

/// Printed after the demo.
const DEMO_HINT: &str = "\
The site was on loopback, and its failures were intended. Try next:
  fetch-all --demo -o records.jsonl     and look at a record
  fetch-all --demo -vv                  and see the reason for each decision
  fetch-all -i urls.txt -o records.jsonl     with your own list";

impl ActiveRun {
    /// Writes the remaining output, prints the summary and returns the exit code.
    pub(super) fn finish(
        mut self,
        end: RunEnd,
        fetches: FetchAll<AdmittedRequests>,
        output: OutputThread,
        demo: bool,
    ) -> Result<u8, CliError> {
        let elapsed = self.started.elapsed();
        self.outcomes.shared.stopped.store(true, Relaxed);
        let saved = self.finish_bodies(end);
        let written = self.finish_records(end, output);
        let heads = self.outcomes.heads.as_ref().map_or(Ok(()), HeadDump::write);
        let etag = self.outcomes.etag.as_ref().map_or(Ok(()), EtagFile::write);
        let cookies = self.cookies.as_ref().map_or(Ok(()), |cookies| {
            let silent = self.silent;
            cookies.write(|warning| {
                if !silent {
                    self.progress.print_message(warning);
                }
            })
        });
        if let Some(cache) = &self.cache {
            smol::block_on(cache.flush());
        }
        let hsts = self.hsts.as_ref().map_or(Ok(()), HstsFile::write);
        self.progress.clear();
        if matches!(written, Ok(false)) {
            // The reader of the records has closed the pipe, as `head` does: this is no error.
            return Ok(0);
        }
        let counts = self.counts(&fetches);
        if let Some(statsd) = self.monitor.statsd() {
            statsd.flush(&counts);
        }
        let stopped = self.stop_reason(end);
        let notes = (&self.host_waits, &self.long_downloads);
        let stats = (fetches.stats(), self.fetcher.stats());
        let summary = RunSummary {
            cache: self.cache.as_ref().map(CacheCounts::new),
            ..self.outcomes.summary(elapsed, stats, stopped, notes)
        };
        if !self.silent {
            let _ = std::io::stderr().write_all(summary.to_string().as_bytes());
        }
        let state = self.outcomes.check_state();
        if matches!(end, RunEnd::Deadline | RunEnd::FailEarly) {
            self.outcomes
                .shared
                .exit_status
                .record(ExitStatus::Unfinished);
        }
        let results = [written.map(drop), saved, cookies, heads, etag, hsts, state];
        let result = results.into_iter().collect::<Result<(), CliError>>();
        let code = match &result {
            Ok(()) => self.exit_code(demo),
            Err(error) => error.code as u8,
        };
        // The report is written after an error, too.
        let report = self.write_report(code, &summary);
        result.and(report)?;
        if demo && !self.silent && self.signals.code() == 0 {
            let _ = writeln!(std::io::stderr(), "\n{}", DEMO_HINT);
        }
        Ok(code)
    }

    /// Why the run ended before every URL was fetched; `None` if it did not.
    fn stop_reason(&self, end: RunEnd) -> Option<&'static str> {
        match end {
            RunEnd::Deadline => Some("--deadline"),
            RunEnd::DiskFull => Some("bodies cannot be saved"),
            RunEnd::FailEarly if self.max_errors == Some(NonZeroU64::MIN) => {
                Some("--fail-early: a failure")
            }
            RunEnd::FailEarly => Some("--max-errors: too many failures"),
            _ if self.signals.count() > 0 => Some("interrupted by a signal"),
            _ => None,
        }
    }

    /// Writes the page of `--report`.
    fn write_report(&self, code: u8, summary: &RunSummary<'_>) -> Result<(), CliError> {
        self.report.as_ref().map_or(Ok(()), |file| {
            let report = RunReport {
                code,
                options: &self.options,
                started: self.epoch,
                summary,
                waiting_hosts: &self.waiting_hosts,
            };
            report::write(file, &report)
        })
    }

    /// Waits for the bodies that are being saved, and completes the archives.
    fn finish_bodies(&mut self, end: RunEnd) -> Result<(), CliError> {
        let Some(mut saver) = self.body_saver.take() else {
            return Ok(());
        };
        while self.signals.count() < 2
            && let Some((outcome, saved)) = saver.wait_saved()
        {
            if saved.error.is_none() || saver.store.full_reason().is_none() {
                let statsd = self.monitor.statsd();
                self.outcomes.record(&outcome, Some(&saved), statsd);
            }
        }
        if end == RunEnd::Finished {
            saver.store.finish_partial();
        }
        let finished = saver.store.finish();
        match saver.store.full_reason() {
            Some(reason) => Err(CliError::file(format!(
                "{reason}: stopped because no more bodies can be saved: make room, then run the \
                 same command again"
            ))),
            None => finished.map_err(CliError::file),
        }
    }

    /// Flushes the records, with a timeout after a second signal.
    fn finish_records(&mut self, end: RunEnd, output: OutputThread) -> Result<bool, CliError> {
        let begin = Instant::now();
        let give_up = || self.signals.count() > 1 && begin.elapsed() > ABORT_TIMEOUT;
        while self.outcomes.writer.try_flush() == FlushResult::Full && !give_up() {
            std::thread::sleep(RETRY_DELAY);
        }
        let is_complete = end == RunEnd::Finished && self.signals.count() == 0;
        self.outcomes.close(is_complete);
        output.finish(give_up)
    }

    /// The exit code if everything could be written.
    fn exit_code(&self, demo: bool) -> u8 {
        match self.signals.code() {
            // The failures of the demo are intended.
            0 if demo => 0,
            0 => self.outcomes.shared.exit_status.get(),
            signal => signal,
        }
    }
}
