//! A whole run in virtual time: the real engine against modelled servers.

use alloc::collections::{BTreeMap, BinaryHeap};
use alloc::string::{String, ToString};
use core::cmp::Reverse;
use core::time::Duration;

use url::Url;

use crate::batch::BatchStats;
use crate::engine::{Config, Engine, Output, Stats};
use crate::failure::Failure;
use crate::id::AttemptId;
use crate::outcome::Outcome;
use crate::random::{between, mix};
use crate::request::{Attempt, Head, Input, Request};
use crate::time::{Timestamp, nanos};

/// How long a modelled server takes to answer: evenly between two bounds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Latency {
    /// At least so long.
    pub min: Duration,
    /// At most so long.
    pub max: Duration,
}

/// How the servers of one host behave. Every choice is drawn from the simulation's seed.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::testing::Server;
///
/// let flaky = Server::default().unavailable(50).resets(10).latency(
///     Duration::from_millis(20)..=Duration::from_millis(80),
/// );
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Server {
    latency: Latency,
    resets: u16,
    retry_after: Option<Duration>,
    stalls: u16,
    unavailable: u16,
}

impl Server {
    /// Sets how long an answer takes. Default 10 to 100 ms.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::testing::Server;
    /// let quick = Server::default().latency(Duration::ZERO..=Duration::from_millis(1));
    /// ```
    #[must_use]
    pub fn latency(mut self, range: core::ops::RangeInclusive<Duration>) -> Self {
        self.latency = Latency {
            min: *range.start(),
            max: *range.end(),
        };
        self
    }

    /// Sets how many of 1,000 attempts end in a reset connection. Default 0.
    ///
    /// ```
    /// # use fetch_proto::testing::Server;
    /// let server = Server::default().resets(20);
    /// ```
    #[must_use]
    pub fn resets(mut self, per_mille: u16) -> Self {
        self.resets = per_mille;
        self
    }

    /// Sets a `Retry-After` for every 503. Default none.
    ///
    /// ```
    /// # use fetch_proto::testing::Server;
    /// let server = Server::default().unavailable(20).retry_after(core::time::Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Sets how many of 1,000 attempts are never answered. Default 0.
    ///
    /// ```
    /// # use fetch_proto::testing::Server;
    /// let server = Server::default().stalls(20);
    /// ```
    #[must_use]
    pub fn stalls(mut self, per_mille: u16) -> Self {
        self.stalls = per_mille;
        self
    }

    /// Sets how many of 1,000 attempts are answered 503. Default 0.
    ///
    /// ```
    /// # use fetch_proto::testing::Server;
    /// let server = Server::default().unavailable(1000);
    /// ```
    #[must_use]
    pub fn unavailable(mut self, per_mille: u16) -> Self {
        self.unavailable = per_mille;
        self
    }

    /// What becomes of one attempt, and when; `None` if it is never answered.
    fn answer(&self, draw: u64) -> Option<(Duration, Answer)> {
        let (min, max) = (nanos(self.latency.min), nanos(self.latency.max));
        let latency = Duration::from_nanos(between(mix(draw, 1), min, max));
        let fate = between(draw, 0, 999);
        let resets = u64::from(self.resets);
        let stalls = resets + u64::from(self.stalls);
        let unavailable = stalls + u64::from(self.unavailable);
        let answer = match fate {
            fate if fate < resets => Answer::Fail(Failure::Io),
            fate if fate < stalls => return None,
            fate if fate < unavailable => Answer::Unavailable,
            _ => Answer::Ok,
        };
        Some((latency, answer))
    }
}

impl Default for Server {
    fn default() -> Self {
        let latency = Latency {
            min: Duration::from_millis(10),
            max: Duration::from_millis(100),
        };
        Self {
            latency,
            resets: 0,
            retry_after: None,
            stalls: 0,
            unavailable: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Answer {
    Fail(Failure),
    Ok,
    Unavailable,
}

/// A run of an [`Engine`] in virtual time. The driver in it sleeps exactly until the engine's wake
/// or the next answer and never otherwise looks, so a lost wake-up would show.
///
/// ```
/// use fetch_proto::Config;
/// use fetch_proto::testing::{Server, Simulation};
///
/// let urls = (0..1000).map(|n| format!("http://{}.test/{n}", n % 10));
/// let mut simulation = Simulation::new(Config::default(), 7).everywhere(Server::default());
/// let summary = simulation.run(urls);
/// assert_eq!(summary.batch.count(), 1000);
/// assert!(summary.max_flying <= 100);
/// ```
#[derive(Debug)]
pub struct Simulation {
    config: Config,
    default: Server,
    seed: u64,
    servers: BTreeMap<String, Server>,
}

/// What came out of a [`Simulation`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// The outcomes' statistics.
    pub batch: BatchStats,
    /// The order of all outputs in one number: two runs that decide alike have the same.
    pub digest: u64,
    /// The engine's counts.
    pub engine: Stats,
    /// The most attempts that were in flight at once.
    pub max_flying: usize,
    /// The most that were in flight at once at any one host.
    pub max_flying_per_host: usize,
    /// How long it took, in virtual time.
    pub took: Duration,
}

impl Simulation {
    /// A simulation of an engine with this configuration, all chance being drawn from `seed`.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::Simulation};
    /// let simulation = Simulation::new(Config::default(), 7);
    /// ```
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            default: Server::default(),
            seed,
            servers: BTreeMap::new(),
        }
    }

    /// Sets how hosts behave that have no model of their own.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::{Server, Simulation}};
    /// let simulation = Simulation::new(Config::default(), 7).everywhere(Server::default());
    /// ```
    #[must_use]
    pub fn everywhere(mut self, server: Server) -> Self {
        self.default = server;
        self
    }

    /// Sets how the host of this name behaves.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::{Server, Simulation}};
    /// let simulation =
    ///     Simulation::new(Config::default(), 7).host("slow.test", Server::default().stalls(100));
    /// ```
    #[must_use]
    pub fn host(mut self, name: &str, server: Server) -> Self {
        self.servers.insert(name.to_string(), server);
        self
    }

    /// Fetches all `urls`. URLs that cannot be parsed are left out.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::Simulation};
    /// let summary = Simulation::new(Config::default(), 7).run(["http://a.test/"]);
    /// assert_eq!(summary.engine.responded, 1);
    /// ```
    pub fn run<U: AsRef<str>>(&mut self, urls: impl IntoIterator<Item = U>) -> Summary {
        self.run_with(urls, |_, _| {})
    }

    /// Like [`run`](Self::run), and shows every outcome with the time of its end.
    ///
    /// ```
    /// # use fetch_proto::{Config, testing::Simulation};
    /// let mut count = 0;
    /// Simulation::new(Config::default(), 7).run_with(["http://a.test/"], |_, _| count += 1);
    /// assert_eq!(count, 1);
    /// ```
    ///
    /// # Panics
    ///
    /// If fetches are live but nothing will ever happen: a lost wake-up.
    pub fn run_with<U: AsRef<str>>(
        &mut self,
        urls: impl IntoIterator<Item = U>,
        mut each: impl FnMut(&Outcome, Timestamp),
    ) -> Summary {
        let mut requests = urls
            .into_iter()
            .filter_map(|url| Url::parse(url.as_ref()).ok())
            .map(Request::get);
        let now = Timestamp::START;
        let mut run = Running {
            answers: BinaryHeap::new(),
            digest: 0,
            draws: 0,
            engine: Engine::new(self.config.clone(), self.seed, now),
            flights: BTreeMap::new(),
            now,
            per_host: BTreeMap::new(),
            peaks: (0, 0),
            simulation: self,
        };
        let mut batch = BatchStats::default();
        let mut tag = 0;
        loop {
            let idle = run.drain(|outcome, at| {
                batch.record(&outcome.into());
                each(outcome, at);
            });
            let mut added = false;
            for request in requests.by_ref().take(idle.room) {
                let submitted = run.engine.submit(Request { tag, ..request }, run.now);
                assert!(submitted.is_ok(), "room was reported");
                tag += 1;
                added = true;
            }
            if added {
                continue;
            }
            if idle.live == 0 {
                break;
            }
            run.advance(idle.wake.map(|wake| wake.at));
        }
        Summary {
            batch,
            digest: run.digest,
            engine: run.engine.stats(),
            max_flying: run.peaks.0,
            max_flying_per_host: run.peaks.1,
            took: run.now.since_start(),
        }
    }
}

/// When an answer comes, its number, for whom it is, what it is, and its `Retry-After`.
type Coming = (Timestamp, u64, AttemptId, Answer, Option<Duration>);

struct Running<'a> {
    answers: BinaryHeap<Reverse<Coming>>,
    digest: u64,
    draws: u64,
    engine: Engine,
    flights: BTreeMap<AttemptId, String>,
    now: Timestamp,
    peaks: (usize, usize),
    per_host: BTreeMap<String, usize>,
    simulation: &'a Simulation,
}

impl Running<'_> {
    /// Obeys the engine until it is idle.
    fn drain(&mut self, mut done: impl FnMut(&Outcome, Timestamp)) -> crate::engine::Idle {
        loop {
            let output = self.engine.poll(self.now);
            let (kind, id) = match &output {
                Output::Abort(id) => (1, u64::from(id.number)),
                Output::Accept(id) => (2, u64::from(id.number)),
                Output::Discard(id) => (3, u64::from(id.number)),
                Output::Done(_, outcome) => (4, outcome.tag),
                Output::Start(attempt) => (5, u64::from(attempt.id.number)),
                Output::Event(..) | Output::Idle(_) => (0, 0),
            };
            if kind > 0 {
                self.digest = mix(self.digest ^ kind, mix(self.now.as_nanos(), id));
            }
            match output {
                Output::Abort(id) => self.land(id),
                Output::Done(_, outcome) => done(&outcome, self.now),
                Output::Idle(idle) => return idle,
                Output::Start(attempt) => self.start(&attempt),
                Output::Accept(_) | Output::Discard(_) | Output::Event(..) => {}
            }
        }
    }

    fn start(&mut self, attempt: &Attempt) {
        let host = attempt.url.host_str().unwrap_or_default().to_string();
        let server = self
            .simulation
            .servers
            .get(&host)
            .unwrap_or(&self.simulation.default);
        self.draws += 1;
        if let Some((latency, answer)) = server.answer(mix(self.simulation.seed, self.draws)) {
            let at = self.now + latency;
            self.answers.push(Reverse((
                at,
                self.draws,
                attempt.id,
                answer,
                server.retry_after,
            )));
        }
        let flying = self.per_host.entry(host.clone()).or_insert(0);
        *flying += 1;
        self.flights.insert(attempt.id, host);
        self.peaks = (
            self.peaks.0.max(self.flights.len()),
            self.peaks.1.max(*flying),
        );
    }

    fn land(&mut self, id: AttemptId) {
        let Some(host) = self.flights.remove(&id) else {
            return;
        };
        if let Some(flying) = self.per_host.get_mut(&host) {
            *flying -= 1;
        }
    }

    /// Sleeps until the engine's wake or the next answer, and hands over what came.
    fn advance(&mut self, wake: Option<Timestamp>) {
        let answer = self.answers.peek().map(|Reverse((at, ..))| *at);
        let next = answer.into_iter().chain(wake).min();
        self.now = self
            .now
            .max(next.expect("fetches are live, but nothing will happen"));
        while let Some(Reverse((at, ..))) = self.answers.peek() {
            if *at > self.now {
                break;
            }
            let Some(Reverse((_, _, id, answer, retry_after))) = self.answers.pop() else {
                break;
            };
            if !self.flights.contains_key(&id) {
                continue; // aborted meanwhile
            }
            self.land(id);
            let head = |status| Head {
                retry_after,
                ..Head::status(status)
            };
            let (head, end) = match answer {
                Answer::Fail(failure) => (None, Err(failure)),
                Answer::Ok => (Some(Head::status(200)), Ok(())),
                Answer::Unavailable => (Some(head(503)), Ok(())),
            };
            if let Some(head) = head {
                self.engine.handle(id, Input::Head(head), self.now);
            }
            self.engine.handle(id, Input::End(end), self.now);
        }
    }
}
