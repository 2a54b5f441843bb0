//! The loop: it asks the engine what to do, does it, and tells it what came of it.

pub(crate) mod active;
mod attempt_set;
mod attempts;
pub(crate) mod command;
mod connect_timeout;
pub(crate) mod delivery;
pub(crate) mod exchange;
mod fallback;
pub(crate) mod job;
mod limits;
pub(crate) mod migrating;
pub(crate) mod outcome_queue;
pub(crate) mod permits;
pub(crate) mod recording;
pub(crate) mod siblings;
mod wire;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_channel::Receiver;
use fetch_proto::{Config, FetchId, Idle, Output, Stats, Timestamp};
use futures_core::Stream;
use http::HeaderMap;
use log::{Level, debug, log_enabled};

use crate::driver::active::{Live, Seen};
use crate::driver::attempt_set::Flights;
use crate::driver::command::Command;
use crate::driver::command::Handle;
use crate::driver::exchange::{Exchanging, Verdict};
use crate::driver::fallback::LastResort;
use crate::driver::job::Job;
use crate::driver::outcome_queue::Readers;
use crate::driver::recording::{Core, Record, engine};
use crate::fields::cookie_jar::CookieJar;
use crate::settings::Settings;
use crate::shard::concurrency::Share;
use crate::shard::limits::Limits;
use crate::telemetry::logging;
use crate::telemetry::metrics::Meter;
use crate::transport::Transport;
use crate::transport::clock::Clock;
use crate::transport::message::Outgoing;
use crate::transport::progress::Marks;
use crate::transport::timer::Timer;
use permits::Permits;
use siblings::Peers;
use wire::share_key;

/// After so many steps the loop lets other tasks run.
const BUDGET: usize = 256;

/// So many steps are taken by one look at the clock: it is as wrong then as they take, some microseconds.
const STEPS: usize = 8;

/// What one driver of several has for itself.
pub(crate) struct Place {
    pub(crate) clock: Clock,
    /// Its parts of what all keep together, unless it is the only one.
    pub(crate) limits: Option<Limits>,
    /// The others, unless it is the only one.
    pub(crate) peers: Option<Peers>,
    /// Its part of the attempts in flight, unless it is the only one.
    pub(crate) share: Option<Share>,
    /// Outcomes that nobody has taken.
    pub(crate) undelivered: usize,
}

/// A driver over `transport` and the handle to it.
pub(crate) fn new<T: Transport>(
    transport: T,
    timer: impl Timer,
    settings: &Settings,
    record: Option<Record>,
    place: Place,
) -> (Handle, impl Future<Output = ()> + Send + 'static) {
    let Place {
        clock,
        limits,
        peers,
        share: part,
        undelivered,
    } = place;
    let mut config = settings.engine_config();
    let concurrency = config.concurrency_limit();
    if !T::SEES_CONNECTION {
        config = config.rules(settings.rules.map(connect_timeout::disable));
    }
    let transport = Arc::new(transport);
    let (sender, commands) = async_channel::unbounded();
    let stats = Arc::new(Mutex::new(Stats::default()));
    let handle = Handle {
        commands: sender,
        stats: stats.clone(),
    };
    let seed = settings.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut driver = Driver {
        backlog: std::collections::VecDeque::new(),
        clock,
        concurrency,
        cookies: settings
            .cookies
            .then(|| settings.cookie_jar.clone().unwrap_or_default()),
        engine: engine(config, seed, clock.now(), record),
        flights: Flights::new(),
        headers: Arc::new(settings.headers.clone()),
        landed: Vec::new(),
        last_resort: LastResort::new(settings.stale, settings.fallback_value.clone()),
        limits,
        lives: Vec::new(),
        meter: Meter::new(),
        owners: Vec::new(),
        part,
        peers,
        permits: Permits::new(concurrency + undelivered),
        readers: Readers::default(),
        share: settings.share,
        spare: Spare::default(),
        start: exchange::start::<T>,
        stats,
        transport: transport.clone(),
    };
    if let Some(part) = &driver.part {
        driver.engine.set_ceiling(part.limit());
    }
    if let Some(peers) = &driver.peers {
        driver.engine.set_part(peers.part);
    }
    (handle, in_turns(transport, driver.run(commands, timer)))
}

/// Each poll of the loop is a turn.
fn in_turns<T: Transport>(
    transport: Arc<T>,
    run: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    let mut run = Box::pin(run);
    poll_fn(move |cx| {
        let mut polled = Poll::Pending;
        transport.turn(&mut || polled = run.as_mut().poll(cx));
        polled
    })
}

struct Driver<T, F, S> {
    /// Requests for which the engine has no room yet.
    backlog: std::collections::VecDeque<Job>,
    clock: Clock,
    /// The jar, if cookies are wanted.
    cookies: Option<CookieJar>,
    /// As many attempts at once as there are permits for.
    concurrency: usize,
    engine: Core,
    flights: Flights<F>,
    headers: Arc<HeaderMap>,
    /// Fetches whose attempt has just landed and that hold a permit for their outcome.
    landed: Vec<usize>,
    last_resort: LastResort,
    /// Its parts of what all drivers keep together, unless it is the only one.
    limits: Option<Limits>,
    /// The engine's fetches, by slot.
    lives: Vec<Option<Live>>,
    meter: Meter,
    /// The slot of the fetch that each flight belongs to.
    owners: Vec<usize>,
    /// Its part of the attempts in flight, unless it is the only driver.
    part: Option<Share>,
    /// The other drivers, if there are.
    peers: Option<Peers>,
    permits: Permits,
    /// Those for whom there is something at the end of the turn.
    readers: Readers,
    /// Whether requests for the same are one.
    share: bool,
    /// Memory for the next attempts.
    spare: Spare,
    start: S,
    stats: Arc<Mutex<Stats>>,
    transport: Arc<T>,
}

/// What was allocated for attempts that have landed; never more than there were at once.
#[derive(Default)]
struct Spare {
    marks: Vec<Marks>,
    #[expect(clippy::vec_box, reason = "what is kept is the allocation")]
    seen: Vec<Box<Seen>>,
}

/// What ended a wait.
enum Woken {
    Commands(Vec<Command>),
    Closed,
    Flights(Vec<usize>),
    /// This driver's part of what all share may change.
    Part,
    Permit,
    Timer,
}

impl<T, F, S> Driver<T, F, S>
where
    T: Transport,
    F: Exchanging,
    S: Fn(&T, Outgoing, Marks) -> F,
{
    async fn run(mut self, commands: Receiver<Command>, mut timer: impl Timer) {
        let mut commands = pin!(commands);
        let mut armed = None;
        let mut open = true;
        loop {
            let idle = self.settle().await;
            if !open && idle.live == 0 {
                break;
            }
            let wake = idle.wake.map(|wake| wake.at);
            let settles_at = self.limits.as_ref().and_then(Limits::settles_at);
            let wake = wake.into_iter().chain(settles_at).min();
            self.arm(&mut timer, &mut armed, wake);
            let woken = poll_fn(|cx| self.poll(cx, commands.as_mut(), &mut timer, open)).await;
            match woken {
                Woken::Closed => {
                    // Nobody is left who could receive anything.
                    open = false;
                    self.backlog.clear();
                    self.engine.close(self.clock.now());
                }
                Woken::Commands(commands) => commands.into_iter().for_each(|c| self.obey(c)),
                Woken::Flights(list) => self.fly(list).await,
                Woken::Part => {}
                Woken::Permit => self.engine.release(),
                Woken::Timer => armed = None,
            }
        }
        self.transport.close();
    }

    /// Waits until there is something to do.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut commands: Pin<&mut Receiver<Command>>,
        timer: &mut impl Timer,
        open: bool,
    ) -> Poll<Woken> {
        if let Poll::Ready(list) = self.flights.poll_woken(cx) {
            return Poll::Ready(Woken::Flights(list));
        }
        if open {
            let mut taken = Vec::new();
            while taken.len() < BUDGET {
                match commands.as_mut().poll_next(cx) {
                    Poll::Ready(Some(command)) => taken.push(command),
                    Poll::Ready(None) if taken.is_empty() => return Poll::Ready(Woken::Closed),
                    Poll::Ready(None) | Poll::Pending => break,
                }
            }
            if !taken.is_empty() {
                return Poll::Ready(Woken::Commands(taken));
            }
        }
        if self.permits.poll(cx).is_ready() {
            return Poll::Ready(Woken::Permit);
        }
        if self.poll_peers(cx).is_ready() {
            return Poll::Ready(Woken::Part);
        }
        timer.poll_fired(cx).map(|()| Woken::Timer)
    }

    /// Sets the timer only if it would fire too late. Firing too early costs one turn; setting it
    /// costs more, and most deadlines are moved or dropped long before they come.
    fn arm(&self, timer: &mut impl Timer, armed: &mut Option<Timestamp>, wake: Option<Timestamp>) {
        let Some(wake) = wake else { return };
        if armed.is_none_or(|armed| wake < armed) {
            timer.set(self.clock.instant(wake));
            *armed = Some(wake);
        }
    }

    /// Does all that the engine asks, and gives it what waits for room, until both are done.
    async fn settle(&mut self) -> Idle {
        let mut steps = 0;
        loop {
            let idle = self.drain(&mut steps).await;
            for slot in self.landed.drain(..) {
                // It goes on to a retry or a redirect, or races on: its permit is for others.
                if let Some(live) = &mut self.lives[slot] {
                    live.take_permit();
                }
            }
            if idle.room == 0 || self.backlog.is_empty() {
                let stats = self.engine.stats();
                if self.settle_with_peers(&stats, idle.live > 0) {
                    continue;
                }
                self.meter.stats(&stats);
                *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = stats;
                self.readers.wake();
                return idle;
            }
            let now = self.clock.now();
            for _ in 0..idle.room.min(BUDGET) {
                let Some(job) = self.backlog.pop_front() else {
                    break;
                };
                self.submit(job, now);
            }
        }
    }

    async fn drain(&mut self, steps: &mut usize) -> Idle {
        let mut now = self.clock.now();
        loop {
            match self.engine.poll(now) {
                Output::Abort(id) => self.abort(id),
                Output::Accept(id) => self.accept(id),
                Output::Discard(id) => self.decide(id, |_| Verdict::Drop),
                Output::Done(id, outcome) => self.finish(id, outcome),
                Output::Event(id, event) => self.tell(id, &event),
                Output::Idle(idle) => return idle,
                Output::Leave { id, to } => self.hand_over(id, to, now),
                Output::Start(attempt) => self.start(attempt),
                _ => debug_assert!(false, "an output this driver does not know"),
            }
            *steps += 1;
            if steps.is_multiple_of(BUDGET) {
                self.readers.wake();
                futures_lite::future::yield_now().await;
            }
            if steps.is_multiple_of(STEPS) {
                now = self.clock.now();
            }
        }
    }

    fn submit(&mut self, mut job: Job, now: Timestamp) {
        let alone = !self.share || job.request.save.is_some();
        let share = (!alone).then(|| share_key(&job, &self.headers));
        let mut request = Live::core_request(&job, share);
        if !T::SEES_CONNECTION
            && let Err(why) = connect_timeout::disable_own(&mut request.policy)
        {
            job.sink.refuse(why);
            return;
        }
        if job.request.path_as_is.is_some() && !T::SENDS_PATH_AS_IS {
            job.sink
                .refuse("this client normalises paths: it cannot send one as it is");
            return;
        }
        match self.engine.submit(request, now) {
            Ok(id) => self.enter(Live::new(job, id)),
            // Closed: the job's sink says so. Full: it waits its turn.
            Err(rejected) if rejected.why == fetch_proto::Refusal::Full => {
                self.backlog.push_front(job);
            }
            Err(_) => {}
        }
    }

    fn enter(&mut self, live: Live) {
        let slot = live.id().slot();
        if self.lives.len() <= slot {
            self.lives.resize_with(slot + 1, || None);
        }
        self.lives[slot] = Some(live);
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Adopt(moved, lives) => self.adopt(*moved, lives),
            Command::Submit(jobs) => self.backlog.extend(jobs),
            Command::WindDown(group) => {
                self.cancel(|live| live.group == group && !live.is_flying(), group);
            }
            Command::Configure(config) => self.configure(*config),
            Command::CrawlDelay(host, delay) => self.engine.set_crawl_delay(&host, delay),
            Command::HostStats(host, to) => {
                // Whoever asked may have gone.
                let _ = to.try_send(self.engine.host_stats(&host));
            }
            Command::Cancel(group) => self.cancel(|live| live.group == group, group),
        }
    }

    /// Takes over other limits and rules while everything goes on.
    fn configure(&mut self, config: Config) {
        let config = if T::SEES_CONNECTION {
            config
        } else {
            let rules = config.rules_ref().map(connect_timeout::disable);
            config.rules(rules)
        };
        let more = config.concurrency_limit().saturating_sub(self.concurrency);
        self.concurrency += more;
        self.permits.add(more);
        self.divide_limits(&config);
        self.engine.set_config(config, self.clock.now());
    }

    /// Ends the fetches of `group` that `which` picks, and those of it that never came so far.
    fn cancel(&mut self, which: impl Fn(&Live) -> bool, group: u64) {
        let now = self.clock.now();
        self.note_end(group);
        let backlog = core::mem::take(&mut self.backlog);
        let (ended, rest) = backlog
            .into_iter()
            .partition::<Vec<_>, _>(|job| job.group == group);
        self.backlog = rest.into();
        for mut job in ended {
            job.sink.cancel();
        }
        for live in self.lives.iter().flatten().filter(|live| which(live)) {
            self.engine.cancel(live.id(), now);
        }
    }

    fn finish(&mut self, id: FetchId, outcome: fetch_proto::Outcome) {
        if let Some(leader) = outcome.shared_with {
            self.copy_response(leader, id);
        }
        if let Some(live) = self.lives.get_mut(id.slot()).and_then(Option::take) {
            let (method, span) = (live.request.method.clone(), live.span.clone());
            let last_resort = &mut self.last_resort;
            let ended = live.finish(outcome, T::SEES_CONNECTION, last_resort, |outcome| {
                match &outcome.result {
                    Ok(response) => span.responded(response.status.as_u16()),
                    Err(error) => span.failed(error.kind().as_str()),
                }
                span.within(|| logging::result(outcome));
                self.meter.ended(&method, outcome);
            });
            let (seen, reader) = ended;
            self.spare.seen.extend(seen);
            self.readers.add(reader);
        }
    }

    /// Gives a fetch the response to another's request for the same. That one ends after it.
    fn copy_response(&mut self, from: FetchId, to: FetchId) {
        if let Ok([Some(leader), Some(live)]) =
            self.lives.get_disjoint_mut([from.slot(), to.slot()])
        {
            live.share(leader);
        }
    }

    fn tell(&self, id: Option<FetchId>, event: &fetch_proto::Event) {
        if !log_enabled!(target: crate::LOG_TARGET, Level::Debug) {
            return;
        }
        match id.and_then(|id| self.lives.get(id.slot())?.as_ref()) {
            Some(live) => {
                debug!(target: crate::LOG_TARGET, url:% = live.request.shown(); "{event}");
            }
            None => debug!(target: crate::LOG_TARGET, "{event}"),
        }
    }
}
