//! The main loop of a run: outcomes, ticks, signals and limits.

mod body_saver;
mod end;
mod events;
mod outcomes;
mod paint;
mod start;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use fetch_driver::{Cache, FetchAll, WaitingHost};
use fetch_smol::Fetcher;
use futures_lite::future;

use crate::config::SetOptions;
use crate::display::plural;
use crate::input::backlog::HostLimits;
use crate::output::replace::AtomicFile;
use crate::output::{FlushResult, RETRY_DELAY};
use crate::plan::{CookieFile, HstsFile, PolicyReload};
use crate::robots::AdmittedRequests;
use crate::ui::counts::ProgressCounts;
use crate::ui::eta::EtaEstimator;
use crate::ui::host_waits::{HostWait, HostWaits};
use crate::ui::long_downloads::{LongDownloads, MIN_AGE};
use crate::ui::monitor::RunMonitor;
use crate::ui::progress::ProgressDisplay;
use crate::ui::signals::SignalState;
pub(crate) use body_saver::{BodySaver, is_cancelled};
pub(crate) use events::{RunEvent, RunEvents};
use outcomes::RunOutcomes;
pub(crate) use start::run;

/// Why the loop ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum RunEnd {
    Deadline,
    /// Bodies cannot be saved any more.
    DiskFull,
    FailEarly,
    Finished,
    /// Records cannot be written any more.
    OutputClosed,
    Signal,
}

struct ActiveRun {
    body_saver: Option<BodySaver>,
    cache: Option<Cache>,
    cookies: Option<CookieFile>,
    deadline: Option<Duration>,
    /// The wall clock at the start.
    epoch: SystemTime,
    eta: EtaEstimator,
    fetcher: Fetcher,
    hsts: Option<HstsFile>,
    host_waits: HostWaits,
    long_downloads: LongDownloads,
    max_errors: Option<NonZeroU64>,
    monitor: RunMonitor,
    outcomes: RunOutcomes,
    /// The last update of the screen.
    painted: Duration,
    /// For the report.
    options: SetOptions,
    progress: ProgressDisplay,
    reload: Option<PolicyReload>,
    report: Option<AtomicFile>,
    signals: Arc<SignalState>,
    silent: bool,
    started: Instant,
    /// Whether the first signal has been handled.
    stopping: bool,
    total: Option<u64>,
    /// For the report: the hosts that were waited for or given up at the end.
    waiting_hosts: Vec<WaitingHost>,
}

impl ActiveRun {
    /// Processes all outcomes.
    async fn drive(&mut self, fetches: &mut FetchAll<AdmittedRequests>) -> RunEnd {
        let end = self.process_events(fetches).await;
        if self.report.is_some() && end != RunEnd::OutputClosed {
            self.waiting_hosts = self.fetcher.waiting_hosts().await;
        }
        self.update_host_waits(true).await;
        self.update_long_downloads(true).await;
        end
    }

    async fn process_events(&mut self, fetches: &mut FetchAll<AdmittedRequests>) -> RunEnd {
        let mut events = RunEvents::new(fetches);
        loop {
            match future::poll_fn(|cx| events.poll(self.body_saver.as_mut(), cx)).await {
                // A fetch that had not started before the signal gets no record.
                RunEvent::Outcome(outcome, _) if self.stopping && is_cancelled(&outcome) => {}
                // Nor does a fetch whose body did not fit on the disk: the next run repeats it. Bodies
                // that were saved before have records, because archives are cut behind the last record.
                RunEvent::Outcome(_, saved)
                    if self.is_disk_full() && saved.as_ref().is_none_or(|s| s.error.is_some()) =>
                {
                    return RunEnd::DiskFull;
                }
                RunEvent::Outcome(outcome, saved) => {
                    let statsd = self.monitor.statsd();
                    let failed = self.outcomes.record(&outcome, saved.as_ref(), statsd);
                    if let Some(message) = self.outcomes.redirects.record(&outcome)
                        && !self.silent
                    {
                        self.progress.print_message(&message);
                    }
                    if failed && self.outcomes.shared.count_failure(self.max_errors) {
                        return RunEnd::FailEarly;
                    }
                    if self.outcomes.writer.is_full()
                        && let Some(end) = self.flush_records(events.fetches).await
                    {
                        return end;
                    }
                }
                RunEvent::End => {
                    let early = self.outcomes.shared.failed_early.load(Relaxed);
                    return if early {
                        RunEnd::FailEarly
                    } else {
                        RunEnd::Finished
                    };
                }
                RunEvent::Tick => {
                    if self.outcomes.writer.try_flush() == FlushResult::Closed {
                        return RunEnd::OutputClosed;
                    }
                    self.reload_policy();
                    self.update_host_waits(false).await;
                    self.update_long_downloads(false).await;
                    if let Some(end) = self.check_limits(events.fetches) {
                        return end;
                    }
                    self.paint(events.fetches).await;
                }
            }
        }
    }

    /// Updates which hosts are waited for. After a signal nothing waits, and the last state is kept
    /// for the summary.
    async fn update_host_waits(&mut self, is_end: bool) {
        let (now, stats) = (self.started.elapsed(), self.fetcher.stats());
        let is_due = is_end || self.host_waits.is_due(now, &stats);
        let is_shown = !self.silent || self.report.is_some();
        if is_due && is_shown && !self.stopping {
            let hosts = self.fetcher.waiting_hosts().await;
            self.host_waits.update(hosts.iter().map(HostWait::new), now);
        }
    }

    /// Updates which downloads have taken longer than an hour.
    async fn update_long_downloads(&mut self, is_end: bool) {
        let now = self.started.elapsed();
        if !self.silent && (self.long_downloads.is_due(now) || is_end && now >= MIN_AGE) {
            let downloads = self.fetcher.downloads(MIN_AGE).await;
            self.long_downloads.update(&downloads, now);
        }
    }

    /// Whether bodies cannot be saved because the disk is full.
    fn is_disk_full(&self) -> bool {
        let store = self.body_saver.as_ref().map(|saver| &saver.store);
        store.is_some_and(|store| store.full_reason().is_some())
    }

    /// Applies a changed policy file.
    fn reload_policy(&mut self) {
        let Some(change) = self.reload.as_mut().and_then(PolicyReload::poll) else {
            return;
        };
        let message = match change {
            Ok(config) => {
                self.eta.limits = HostLimits::new(&config);
                self.fetcher.set_config(config);
                "policy file reloaded".to_owned()
            }
            Err(error) => format!(
                "policy file not reloaded, the previous policy stays in effect: {}",
                error.message
            ),
        };
        if !self.silent {
            self.progress.print_message(&message);
        }
    }

    /// Waits until the writing thread takes the buffer; no outcome is processed meanwhile.
    async fn flush_records(&mut self, fetches: &mut FetchAll<AdmittedRequests>) -> Option<RunEnd> {
        loop {
            match self.outcomes.writer.try_flush() {
                FlushResult::Done => return None,
                FlushResult::Closed => return Some(RunEnd::OutputClosed),
                FlushResult::Full => {
                    smol::Timer::after(RETRY_DELAY).await;
                }
            }
            if let Some(end) = self.check_limits(fetches) {
                return Some(end);
            }
        }
    }

    /// Checks signals and the limits of the run, and updates progress and monitor.
    fn check_limits(&mut self, fetches: &mut FetchAll<AdmittedRequests>) -> Option<RunEnd> {
        if self.outcomes.shared.failed_early.load(Relaxed) {
            return Some(RunEnd::FailEarly);
        }
        if self
            .deadline
            .is_some_and(|limit| self.started.elapsed() >= limit)
        {
            return Some(RunEnd::Deadline);
        }
        if self.signals.count() > 1 {
            return Some(RunEnd::Signal);
        }
        if self.signals.count() == 1 && !std::mem::replace(&mut self.stopping, true) {
            self.outcomes.shared.stopped.store(true, Relaxed);
            fetches.cancel_queued();
            if !self.silent {
                let requests = plural(self.fetcher.stats().in_flight as u64, "request", "requests");
                self.progress.print_message(&format!(
                    "stopping: waiting for {requests} in flight (Ctrl-C again to abort)"
                ));
            }
        }
        let counts = self.counts(fetches);
        self.monitor.update(&counts);
        let mut details = self.long_downloads.progress_text();
        if !self.stopping {
            details.insert_str(0, &self.host_waits.progress_text(counts.elapsed));
        }
        self.progress.update(&counts, &details);
        None
    }

    fn counts(&mut self, fetches: &FetchAll<AdmittedRequests>) -> ProgressCounts {
        let (stats, shared) = (fetches.stats(), &self.outcomes.shared);
        let malformed = shared.malformed.load(Relaxed);
        // `finished` is read first: the counters below do not change after it is set.
        let all_read = shared.finished.load(Relaxed);
        let by_state = self.outcomes.skipped_by_state();
        let skipped = by_state.completed
            + by_state.duplicates
            + self.outcomes.existing()
            + shared.disallowed.load(Relaxed)
            + shared.duplicates.load(Relaxed);
        let all = shared.urls.load(Relaxed) + shared.malformed.load(Relaxed) + skipped;
        let (engine, elapsed) = (self.fetcher.stats(), self.started.elapsed());
        let (tally, ends) = (&self.outcomes.tally, self.outcomes.tally.ends);
        let ended = ends.all() + tally.disallowed;
        let done = ended + malformed + skipped;
        // After a signal the total is unknown.
        let total = if all_read { Some(all) } else { self.total };
        let total = total.filter(|_| !self.stopping);
        self.eta.record(elapsed, ended);
        let left = total.map_or(0, |total| total.saturating_sub(done));
        ProgressCounts {
            done,
            elapsed,
            in_flight: engine.in_flight as u64,
            ok: ends.ok + skipped + tally.disallowed,
            rate: self.eta.rate(),
            retries: engine.retries.max(stats.retries()),
            time_left: self.eta.time_left(left, shared.backlog.as_ref()),
            total,
        }
    }
}
