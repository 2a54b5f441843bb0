//! The run: everything is started, driven on one thread, and told about.

mod batch;
mod keeper;
mod paint;

use std::io::Write;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use fetch_driver::{ErrorKind, FetchAll, FetchError, Outcome};
use fetch_smol::{Builder, Fetcher, Smol};
use futures_lite::{Stream, future};

use crate::backlog::{Backlog, Limits};
use crate::demo;
use crate::eta::Eta;
use crate::exit::{Code, Stop};
use crate::format;
use crate::input::{Reader, Requests, Shared};
use crate::monitor::{Monitor, Standing};
use crate::output::{Flushed, Form, Output, PATIENCE, Target, Written};
use crate::plan::{self, CookieFile, Plan, Reload};
use crate::progress::{Cleared, Console, Counts, Progress, View};
use crate::record::Recorder;
use crate::replace::Replaced;
use crate::report::{self, Report};
use crate::robots::{Admitted, Gatekeeper};
use crate::save::Kept;
use crate::signals;
use batch::Batch;
use keeper::Keeper;

/// How often the bar, the signals and the buffers are looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long a second signal leaves to write what is known.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// So many outcomes are taken one after the other before the clock is looked at.
const STREAK: u32 = 256;

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

/// Runs the plan and says what to exit with.
///
/// # Errors
///
/// If something cannot be started, or the records cannot be written.
pub(crate) fn run(mut plan: Plan) -> Result<u8, Stop> {
    let signals = signals::listen().map_err(Stop::internal)?;
    let progress = Progress::new(plan.view, &signals);
    let _cleared = Cleared(progress.clone());
    let console = Box::new(Console(progress.clone()));
    plan.log
        .install_with(console)
        .map_err(|error| plan::log_stop(&error))?;
    // Whether decisions are worth telling, the log knows only now.
    plan.settings.events = fetch_driver::Settings::default().events;
    if !plan.silent {
        plan.notes.iter().for_each(|note| progress.tell(note));
    }
    let silent = plan.silent;
    let monitor = plan.monitor.start(|line| {
        if !silent {
            progress.tell(line);
        }
    })?;
    let executor = Arc::new(smol::Executor::new());
    let epoch = SystemTime::now();
    let settings = plan.settings.clone();
    let mut builder = Builder::new(Smol::on(&executor)).settings(|all| *all = settings);
    if let Some(file) = plan.record.take() {
        builder = builder.record(file);
    }
    let fetcher = builder
        .build()
        .map_err(|error| Stop::usage(error.to_string()))?;

    let (method, body) = (plan.feed.method.as_str(), &plan.feed.body);
    let recorder = Arc::new(Recorder::new(epoch, method, body, plan.headers));
    let form = Form {
        encoder: format::encoder(plan.format, plan.demo.is_some()),
        kept: plan.state.is_some(),
        recorder: recorder.clone(),
    };
    let store = plan.store.take().map(Arc::new);
    let watched = plan.view != View::None;
    let shared = Arc::new(Shared::new(watched.then(Backlog::default)));
    let bar = progress.is_shown().then(|| progress.clone());
    let kept = plan.state.as_ref().map(|state| state.kept.clone());
    if let Some(state) = &mut plan.state {
        state.archives.clone_from(&store);
    }
    let written = Written {
        form,
        progress: bar.clone(),
        state: plan.state,
        target: plan.target,
    };
    let (mut output, mut writer) = Output::start(written).map_err(Stop::internal)?;
    if let Some(write_out) = plan.write_out {
        let written = Written {
            form: Form {
                encoder: Box::new(write_out),
                kept: false,
                recorder: recorder.clone(),
            },
            progress: bar,
            state: None,
            target: Target::Stdout,
        };
        let started = Output::start(written).map_err(Stop::internal)?;
        (output, writer) = (output.and(started.0), writer.and(started.1));
    }
    let reader = Reader {
        feed: plan.feed,
        ledger: kept.as_ref().map(|kept| kept.ledger.clone()),
        max_errors: plan.max_errors,
        seen: plan.dedupe.then(Default::default),
        shared: shared.clone(),
        store: store.clone(),
        writer: writer.clone(),
        tell: teller(&progress, plan.silent),
        seq: 0,
    };
    let requests = Requests::new(reader.start(plan.sources).map_err(Stop::internal)?);
    let gatekeeper = plan.robots.map(|agent| Gatekeeper {
        agent,
        executor: executor.clone(),
        fetcher: fetcher.clone(),
        rules: plan.settings.rules.clone(),
        shared: shared.clone(),
        writer: writer.clone(),
    });
    let mut outcomes = fetcher.fetch_stream(Admitted::new(requests, gatekeeper));
    if let Some(total) = plan.total {
        outcomes = outcomes.with_total(total);
    }
    let mut run = Run {
        batch: Batch::new(shared, writer, plan.fail, kept),
        cookies: plan.cookies,
        deadline: plan.deadline,
        eta: Eta::new(Limits::of(&plan.settings.engine_config())),
        fetcher,
        keeper: store.map(|store| Keeper::new(store, recorder, plan.fail)),
        max_errors: plan.max_errors,
        monitor,
        painted: Duration::ZERO,
        progress,
        epoch,
        reload: plan.reload,
        report: plan.report,
        signals,
        silent: plan.silent,
        started: Instant::now(),
        stopping: false,
        total: plan.total,
    };
    let end = smol::block_on(executor.run(run.drive(&mut outcomes)));
    run.finish(end, outcomes, output, plan.demo.is_some())
}

fn teller(progress: &Progress, silent: bool) -> Box<dyn Fn(&str) + Send> {
    let progress = progress.clone();
    Box::new(move |message| {
        if !silent {
            progress.tell(message);
        }
    })
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
    reload: Option<Reload>,
    report: Option<Replaced>,
    signals: Arc<signals::Seen>,
    silent: bool,
    started: Instant,
    /// Whether a signal was obeyed.
    stopping: bool,
    total: Option<u64>,
}

impl Run {
    async fn drive(&mut self, outcomes: &mut FetchAll<Admitted>) -> End {
        let mut events = Events {
            ended: false,
            outcomes,
            streak: 0,
            tick: smol::Timer::interval(TICK),
        };
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

    /// Takes what is being kept still, and ends the archives.
    fn keep_rest(&mut self) -> Result<(), Stop> {
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
            Some(full) => Err(Stop::file(format!(
                "{full}: stopped, as no more bodies can be kept: make room, and run it again"
            ))),
            None => ended.map_err(Stop::file),
        }
    }

    /// Takes over what has changed in the policy file.
    fn look_at_policy(&mut self) {
        let Some(change) = self.reload.as_mut().and_then(Reload::poll) else {
            return;
        };
        let told = match change {
            Ok(config) => {
                self.eta.limits = Limits::of(&config);
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
    async fn make_room(&mut self, outcomes: &mut FetchAll<Admitted>) -> Option<End> {
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
    fn watch(&mut self, outcomes: &mut FetchAll<Admitted>) -> Option<End> {
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

    fn counts(&mut self, outcomes: &FetchAll<Admitted>) -> Counts {
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

    /// Writes what is left; not much longer after a second signal.
    fn write_rest(&mut self, end: End, output: Output) -> Result<bool, Stop> {
        let begin = Instant::now();
        let give_up = || self.signals.count() > 1 && begin.elapsed() > LAST_WAIT;
        while self.batch.writer.try_flush() == Flushed::Full && !give_up() {
            std::thread::sleep(PATIENCE);
        }
        let all = end == End::Finished && self.signals.count() == 0;
        self.batch.end(all);
        output.finish(give_up)
    }

    /// Tells the summary, and chooses the exit code.
    fn finish(
        mut self,
        end: End,
        outcomes: FetchAll<Admitted>,
        output: Output,
        demo: bool,
    ) -> Result<u8, Stop> {
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
        let stopped = match end {
            End::Deadline => Some("--deadline"),
            End::DiskFull => Some("bodies can be kept no more"),
            End::FailEarly if self.max_errors == Some(NonZeroU64::MIN) => {
                Some("--fail-early, after the first failure")
            }
            End::FailEarly => Some("--max-errors: too many failures"),
            _ if self.signals.count() > 0 => Some("by a signal"),
            _ => None,
        };
        let counts = self.counts(&outcomes);
        if let Some(statsd) = self.monitor.statsd() {
            statsd.flush(&counts);
        }
        let summary = self.batch.summary(elapsed, outcomes.stats(), stopped);
        if !self.silent {
            let _ = std::io::stderr().write_all(summary.to_string().as_bytes());
        }
        let state = self.batch.check_state();
        if matches!(end, End::Deadline | End::FailEarly) {
            self.batch.shared.worst.note(Code::Unfinished);
        }
        let ends = [written.map(drop), kept, cookies, state];
        let ended = ends.into_iter().collect::<Result<(), Stop>>();
        let code = match &ended {
            Ok(()) => self.code(demo),
            Err(stop) => stop.code as u8,
        };
        let report = self.report.as_ref().map_or(Ok(()), |path| {
            let report = Report {
                code,
                engine: self.fetcher.stats(),
                started: self.epoch,
                summary: &summary,
            };
            report::write(path, &report)
        });
        ended.and(report)?;
        if demo && !self.silent && self.signals.code() == 0 {
            let _ = writeln!(std::io::stderr(), "\n{}", demo::HINT);
        }
        Ok(code)
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

#[allow(
    clippy::large_enum_variant,
    reason = "it lives on the stack, for a moment"
)]
enum Event {
    End,
    Outcome(Outcome, Option<Kept>),
    Tick,
}

/// The outcomes, and the clock, which has its turn even when there are many.
struct Events<'a> {
    /// Whether there are no more outcomes.
    ended: bool,
    outcomes: &'a mut FetchAll<Admitted>,
    streak: u32,
    tick: smol::Timer,
}

impl Events<'_> {
    fn poll(&mut self, mut keeper: Option<&mut Keeper>, cx: &mut Context<'_>) -> Poll<Event> {
        if self.streak < STREAK
            && let Poll::Ready(event) = self.poll_outcome(keeper.as_deref_mut(), cx)
        {
            self.streak += 1;
            return Poll::Ready(event);
        }
        self.streak = 0;
        if Pin::new(&mut self.tick).poll_next(cx).is_ready() {
            return Poll::Ready(Event::Tick);
        }
        self.poll_outcome(keeper, cx)
    }

    /// The next outcome, after its body is where it belongs; or the end.
    fn poll_outcome(
        &mut self,
        mut keeper: Option<&mut Keeper>,
        cx: &mut Context<'_>,
    ) -> Poll<Event> {
        loop {
            if let Some(keeper) = &mut keeper {
                if let Poll::Ready((outcome, kept)) = keeper.poll(cx) {
                    return Poll::Ready(Event::Outcome(outcome, Some(kept)));
                }
                if !keeper.has_room() || (self.ended && !keeper.is_idle()) {
                    return Poll::Pending;
                }
            }
            if self.ended {
                return Poll::Ready(Event::End);
            }
            let Some(outcome) = ready!(Pin::new(&mut *self.outcomes).poll_next(cx)) else {
                self.ended = true;
                continue;
            };
            let back = match &mut keeper {
                Some(keeper) => keeper.take(outcome),
                None => Err(outcome),
            };
            if let Err(outcome) = back {
                return Poll::Ready(Event::Outcome(outcome, None));
            }
        }
    }
}

fn is_cancelled(outcome: &Outcome) -> bool {
    let cancelled = ErrorKind::Fetch(FetchError::Cancelled);
    outcome
        .error()
        .is_some_and(|error| error.kind() == cancelled)
}
