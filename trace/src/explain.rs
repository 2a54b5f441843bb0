//! One URL's story.

mod labels;

use std::fmt;
use std::io::Read;
use std::time::Duration;

use fetch_proto::{
    AttemptId, DecisionEvent, Engine, EngineConfig, EngineOutput, FetchId, FetchRequest, Input,
    InputEffect, Timestamp,
};
use serde::Serialize;
use url::Position;

use crate::call::{TraceAnswer, TraceCall};
use crate::error::TraceError;
use crate::reader::TraceEnd;
use crate::redact::masked;
use crate::replay::{ReplayStep, TraceReplay};

/// All fetches of one URL, each from its submission to its outcome. Display gives a line for each
/// thing that happened.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct UrlHistory {
    /// How the trace ends.
    pub ending: TraceEnd,
    /// Whether the trace was replayed bit for bit, so that this is what happened.
    pub faithful: bool,
    /// One for each time the URL was submitted.
    pub fetches: Vec<FetchHistory>,
    /// The URL, its secrets replaced.
    pub url: String,
}

/// The story of one fetch.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FetchHistory {
    /// What happened, in order.
    pub lines: Vec<HistoryLine>,
    /// Its place among all fetches, from 1.
    pub number: u64,
    /// When it was submitted, since the engine's start.
    #[serde(serialize_with = "crate::seconds")]
    pub submitted: Duration,
    /// The caller's key.
    pub tag: u64,
}

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct HistoryLine {
    /// When, since the submission.
    #[serde(serialize_with = "crate::seconds")]
    pub after: Duration,
    /// What, and why.
    pub what: String,
}

/// Tells what became of `url` in a trace, with the reason of every decision.
///
/// The URL is compared without user, password, fragment and the values of secret parameters: these
/// are not in the trace.
///
/// ```
/// use fetch_proto::{EngineConfig, FailureKind, Input, EngineOutput, FetchRequest, Timestamp};
/// use fetch_trace::{RecordedEngine, explain};
///
/// let now = Timestamp::START;
/// let mut engine = RecordedEngine::recording(EngineConfig::default(), 7, now, Vec::new(), drop);
/// engine.submit(FetchRequest::get("http://a.test/".parse()?), now)?;
/// let EngineOutput::Start(attempt) = engine.poll(now) else { unreachable!() };
/// engine.handle(attempt.id, Input::End(Err(FailureKind::Connect)), now);
/// while !matches!(engine.poll(now), EngineOutput::Idle(_)) {}
/// let file = engine.finish().unwrap();
///
/// let story = explain(&file[..], "http://a.test/")?;
/// assert!(story.to_string().contains("(backoff): could not connect, attempt 1 of 3"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If it is no trace, or cannot be read.
pub fn explain(from: impl Read, url: &str) -> Result<UrlHistory, TraceError> {
    let url = url::Url::parse(url).map_or_else(|_| url.to_owned(), String::from);
    let mut replay = TraceReplay::open(from)?.with_events();
    let mut telling = HistoryBuilder {
        config: replay.config().clone(),
        live: Vec::new(),
        number: 0,
        start: replay.start(),
        story: UrlHistory {
            ending: TraceEnd::Complete,
            faithful: true,
            fetches: Vec::new(),
            url: masked(&url),
        },
    };
    while let Some(moment) = replay.step()? {
        telling.take(moment, replay.engine());
    }
    let report = replay.report();
    telling.story.ending = report.ending;
    telling.story.faithful = report.is_identical();
    Ok(telling.story)
}

struct HistoryBuilder {
    config: EngineConfig,
    /// The fetches that are told of and not over.
    live: Vec<ActiveFetch>,
    number: u64,
    start: Timestamp,
    story: UrlHistory,
}

struct ActiveFetch {
    chapter: usize,
    host: String,
    id: FetchId,
    submitted: Timestamp,
    /// Since when it waits for a slot, until it was told why.
    waits: Option<Timestamp>,
}

impl HistoryBuilder {
    fn take(&mut self, moment: ReplayStep, engine: &Engine) {
        let now = moment.now;
        for (id, event) in &moment.events {
            self.event(*id, event, now);
        }
        match (moment.call, moment.answer) {
            (TraceCall::Submit(request), TraceAnswer::Submitted(Ok(id))) => {
                self.number += 1;
                if masked(request.url.as_str()) == self.story.url {
                    self.begin(&request, moment.pinned, id, now, engine);
                }
            }
            (TraceCall::Handle(id, input), TraceAnswer::Handled(handled)) => {
                self.input(id, &input, handled, now);
            }
            (TraceCall::Cancel(id), TraceAnswer::Handled(InputEffect::Applied)) => {
                self.tell(id, now, || "cancelled by the caller".to_owned());
            }
            (TraceCall::Close, _) => self.tell_all(now, "the fetcher is closed: everything ends"),
            (TraceCall::Hold, _) => {
                self.tell_all(now, "nothing starts: outcomes wait for their consumer");
            }
            (TraceCall::Release, _) => self.tell_all(now, "attempts may start again"),
            (TraceCall::Poll, TraceAnswer::Output(EngineOutput::Idle(_))) => self.wait(now, engine),
            (TraceCall::Poll, TraceAnswer::Output(output)) => self.said(output, now),
            _ => {}
        }
    }

    fn begin(
        &mut self,
        request: &FetchRequest,
        pinned: bool,
        id: FetchId,
        now: Timestamp,
        engine: &Engine,
    ) {
        let host = request.url[..Position::AfterPort].to_owned();
        self.story.fetches.push(FetchHistory {
            lines: Vec::new(),
            number: self.number,
            submitted: now.saturating_since(self.start),
            tag: request.tag,
        });
        self.live.push(ActiveFetch {
            chapter: self.story.fetches.len() - 1,
            host: host.clone(),
            id,
            submitted: now,
            waits: Some(now),
        });
        self.tell(id, now, || labels::submitted(request, &host, engine));
        let policy = labels::chosen(request, pinned, &self.config);
        self.tell(id, now, || policy);
    }

    fn event(&mut self, id: Option<FetchId>, event: &DecisionEvent, now: Timestamp) {
        let line = || labels::event(event);
        match (id, event) {
            (Some(id), event) => {
                if let Some(live) = self.live.iter_mut().find(|live| live.id == id) {
                    live.follow(event, now);
                }
                self.tell(id, now, line);
            }
            (None, DecisionEvent::HostPaused { host, .. }) => {
                let all = self.live.iter().filter(|live| *live.host == **host);
                let ids: Vec<_> = all.map(|live| live.id).collect();
                ids.into_iter().for_each(|id| self.tell(id, now, line));
            }
            (None, _) => self.tell_all(now, &line()),
        }
    }

    fn input(&mut self, id: AttemptId, input: &Input, handled: InputEffect, now: Timestamp) {
        // The decision that follows a head tells its status.
        let told = matches!(input, Input::Head(_)) && handled == InputEffect::Applied;
        if !told {
            self.tell(id.fetch, now, || labels::seen(id, input, handled, now));
        }
    }

    /// Tells once, of all that wait for a slot, why there is none.
    fn wait(&mut self, now: Timestamp, engine: &Engine) {
        let limit = self.config.concurrency_limit();
        let mut told = Vec::new();
        for live in &mut self.live {
            if live.waits.is_some_and(|since| since <= now) {
                live.waits = None;
                told.push((live.id, labels::waits(&live.host, limit, engine)));
            }
        }
        for (id, why) in told {
            self.tell(id, now, || why);
        }
    }

    fn said(&mut self, output: EngineOutput, now: Timestamp) {
        match output {
            EngineOutput::Abort(id) => self.tell(id.fetch, now, || {
                format!("attempt {}: dropped by the policy", id.number())
            }),
            EngineOutput::Accept(id) => self.tell(id.fetch, now, || {
                format!("attempt {}: its response is the one", id.number())
            }),
            EngineOutput::Discard(id) => self.tell(id.fetch, now, || {
                let why = "only its connection is of use";
                format!(
                    "attempt {}: its body is read and dropped, {why}",
                    id.number()
                )
            }),
            EngineOutput::Done(id, outcome) => {
                self.tell(id, now, || labels::ended(&outcome));
                self.live.retain(|live| live.id != id);
            }
            _ => {}
        }
    }

    fn tell(&mut self, id: FetchId, now: Timestamp, line: impl FnOnce() -> String) {
        if let Some(live) = self.live.iter().find(|live| live.id == id) {
            self.story.fetches[live.chapter].lines.push(HistoryLine {
                after: now.saturating_since(live.submitted),
                what: line(),
            });
        }
    }

    fn tell_all(&mut self, now: Timestamp, line: &str) {
        let ids: Vec<_> = self.live.iter().map(|live| live.id).collect();
        ids.into_iter()
            .for_each(|id| self.tell(id, now, || line.to_owned()));
    }
}

impl ActiveFetch {
    /// Keeps up with where it stands.
    fn follow(&mut self, event: &DecisionEvent, now: Timestamp) {
        match event {
            DecisionEvent::Redirecting { to, .. } => {
                self.host = to[..Position::AfterPort].to_owned();
            }
            // A moment later: at its very end it may start at once.
            DecisionEvent::Retrying { delay, .. } => {
                self.waits = Some(now + *delay + Duration::from_nanos(1));
            }
            DecisionEvent::Started { .. } => self.waits = None,
            _ => {}
        }
    }
}

impl fmt::Display for UrlHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fetches.is_empty() {
            return write!(
                f,
                "{} is not in the trace, which is {}",
                self.url, self.ending
            );
        }
        write!(f, "{}", self.url)?;
        for fetch in &self.fetches {
            let FetchHistory {
                number,
                submitted,
                tag,
                ..
            } = fetch;
            write!(
                f,
                "\n\nfetch {number} (tag {tag}), {submitted:?} after the start"
            )?;
            for line in &fetch.lines {
                write!(f, "\n  +{:.3}s  {}", line.after.as_secs_f64(), line.what)?;
            }
        }
        if !self.faithful {
            f.write_str(
                "\n\nthe trace does not replay identically: this may not be what happened",
            )?;
        }
        match self.ending {
            TraceEnd::Complete => Ok(()),
            ending => write!(f, "\n\nthe trace is {ending}"),
        }
    }
}
