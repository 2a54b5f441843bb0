//! The run: outcomes as they come, and what is looked at meanwhile.

mod batch;
mod body_saver;
mod end;
mod events;
mod paint;
mod start;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use fetch_driver::FetchAll;
use fetch_smol::Fetcher;
use futures_lite::future;

use crate::input::backlog::HostLimits;
use crate::output::replace::Replaced;
use crate::output::{Flushed, PATIENCE};
use crate::plan::{CookieFile, PolicyReload};
use crate::robots::AdmittedRequests;
use crate::ui::counts::Counts;
use crate::ui::eta::Eta;
use crate::ui::monitor::{Monitor, Standing};
use crate::ui::progress::Progress;
use crate::ui::signals;
use batch::Batch;
use body_saver::Keeper;
use events::{Event, Events, is_cancelled};
pub(crate) use start::run;

/// Why the driving ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Deadline,
    /// Bodies can be kept no more.
    DiskFull,
    FailEarly,
    Finished,
    /// The records can be written no more.
    OutputGone,
    Signal,
}

struct Run {
    batch: Batch,
    cookies: Option<CookieFile>,
    deadline: Option<Duration>,
    eta: Eta,
    fetcher: Fetcher,
    keeper: Option<Keeper>,
    max_errors: Option<NonZeroU64>,
    monitor: Monitor,
    /// When the screen was shown something the last time.
    painted: Duration,
    progress: Progress,
    /// The wall clock at the beginning.
    epoch: SystemTime,
    reload: Option<PolicyReload>,
    report: Option<Replaced>,
    signals: Arc<signals::Seen>,
    silent: bool,
    started: Instant,
    /// Whether a signal was obeyed.
    stopping: bool,
    total: Option<u64>,
}

impl Run {
    async fn drive(&mut self, outcomes: &mut FetchAll<AdmittedRequests>) -> End {
        let mut events = Events::new(outcomes);
        loop {
            match future::poll_fn(|cx| events.poll(self.keeper.as_mut(), cx)).await {
                // What had not begun when a signal came has no record: it was not fetched.
                Event::Outcome(outcome, _) if self.stopping && is_cancelled(&outcome) => {}
                // Nor has what could not be kept for want of room: it is to be fetched again.
                Event::Outcome(..) if self.is_full() => return End::DiskFull,
                Event::Outcome(outcome, kept) => {
                    let failed = self
                        .batch
                        .take(&outcome, kept.as_ref(), self.monitor.statsd());
                    if failed && self.batch.shared.one_more_failed(self.max_errors) {
                        return End::FailEarly;
                    }
                    if self.batch.writer.is_full()
                        && let Some(end) = self.make_room(events.outcomes).await
                    {
                        return end;
                    }
                }
                Event::End => {
                    let early = self.batch.shared.failed_early.load(Relaxed);
                    return if early { End::FailEarly } else { End::Finished };
                }
                Event::Tick => {
                    if self.batch.writer.try_flush() == Flushed::Gone {
                        return End::OutputGone;
                    }
                    self.look_at_policy();
                    if let Some(end) = self.watch(events.outcomes) {
                        return end;
                    }
                    self.paint(events.outcomes).await;
                }
            }
        }
    }

    /// Whether there is no room for bodies any more.
    fn is_full(&self) -> bool {
        let store = self.keeper.as_ref().map(|keeper| &keeper.store);
        store.is_some_and(|store| store.is_full().is_some())
    }

    /// Takes over what has changed in the policy file.
    fn look_at_policy(&mut self) {
        let Some(change) = self.reload.as_mut().and_then(PolicyReload::poll) else {
            return;
        };
        let told = match change {
            Ok(config) => {
                self.eta.limits = HostLimits::of(&config);
                self.fetcher.set_config(config);
                "the policy file has changed: it counts from now on".to_owned()
            }
            Err(stop) => format!(
                "the policy file has changed, and the old policy stays: {}",
                stop.message
            ),
        };
        if !self.silent {
            self.progress.tell(&told);
        }
    }

    /// Waits for whoever takes the records: no outcome is taken meanwhile.
    async fn make_room(&mut self, outcomes: &mut FetchAll<AdmittedRequests>) -> Option<End> {
        loop {
            match self.batch.writer.try_flush() {
                Flushed::Done => return None,
                Flushed::Gone => return Some(End::OutputGone),
                Flushed::Full => {
                    smol::Timer::after(PATIENCE).await;
                }
            }
            if let Some(end) = self.watch(outcomes) {
                return Some(end);
            }
        }
    }

    /// Looks at what may end it, and sets the bar.
    fn watch(&mut self, outcomes: &mut FetchAll<AdmittedRequests>) -> Option<End> {
        if self.batch.shared.failed_early.load(Relaxed) {
            return Some(End::FailEarly);
        }
        if self
            .deadline
            .is_some_and(|limit| self.started.elapsed() >= limit)
        {
            return Some(End::Deadline);
        }
        if self.signals.count() > 1 {
            return Some(End::Signal);
        }
        if self.signals.count() == 1 && !std::mem::replace(&mut self.stopping, true) {
            self.batch.shared.stopped.store(true, Relaxed);
            outcomes.wind_down();
            if !self.silent {
                let left = self.fetcher.stats().flying;
                self.progress.tell(&format!(
                    "no more requests begin; {left} in flight are still to end; once more stops at once"
                ));
            }
        }
        let counts = self.counts(outcomes);
        self.monitor.stands(Standing {
            counts,
            elapsed: self.started.elapsed(),
        });
        self.progress.set(&counts);
        None
    }

    fn counts(&mut self, outcomes: &FetchAll<AdmittedRequests>) -> Counts {
        let (stats, shared) = (outcomes.stats(), &self.batch.shared);
        let malformed = shared.malformed.load(Relaxed);
        // `finished` first: after it the other numbers move no more.
        let read = shared.finished.load(Relaxed);
        let skipped = self.batch.skipped().0
            + self.batch.existing()
            + shared.disallowed.load(Relaxed)
            + shared.duplicates.load(Relaxed);
        let all = shared.urls.load(Relaxed) + shared.malformed.load(Relaxed) + skipped;
        let (engine, elapsed) = (self.fetcher.stats(), self.started.elapsed());
        let ended = stats.count() - stats.cancelled();
        let done = ended + malformed + skipped;
        // How many there will be in the end, nobody knows any more after a signal.
        let total = if read { Some(all) } else { self.total };
        let total = total.filter(|_| !self.stopping);
        self.eta.note(elapsed, ended);
        let left = total.map_or(0, |total| total.saturating_sub(done));
        Counts {
            done,
            elapsed,
            in_flight: engine.flying as u64,
            left: self.eta.left(left, shared.backlog.as_ref()),
            ok: stats.succeeded() + skipped,
            rate: self.eta.rate(),
            retries: engine.retries.max(stats.retries()),
            total,
        }
    }
}
