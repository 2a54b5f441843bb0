//! The history of one URL, with the reason for every decision.

mod labels;

use std::fmt;
use std::io::Read;
use std::time::Duration;

use fetch_proto::{
    AttemptId, DecisionEvent, Engine, EngineConfig, EngineOutput, FetchId, FetchRequest, Input,
    InputEffect, ShortDuration, Timestamp,
};
use serde::Serialize;
use url::Position;

use crate::call::{TraceAnswer, TraceCall};
use crate::error::TraceError;
use crate::reader::TraceEnd;
use crate::redact::mask_url;
use crate::replay::{ReplayStep, TraceReplay};

/// All fetches of one URL, each from its submission to its outcome. `Display` writes one line per
/// event.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct UrlHistory {
    /// How the trace ends.
    pub ending: TraceEnd,
    /// Whether the trace replayed identically. If not, the history may differ from the recorded run.
    pub faithful: bool,
    /// The fetches of this URL, in order of submission.
    pub fetches: Vec<FetchHistory>,
    /// The URL with its secrets replaced.
    pub url: String,
}

/// The history of one fetch.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FetchHistory {
    /// Events and decisions, in order.
    pub lines: Vec<HistoryLine>,
    /// Position among all submitted fetches, from 1.
    pub number: u64,
    /// Time of the submission, since the start of the engine.
    #[serde(serialize_with = "crate::serialize_seconds")]
    pub submitted: Duration,
    /// [`FetchRequest::tag`], the caller's key.
    pub tag: u64,
}

/// One event or decision of a fetch.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct HistoryLine {
    /// Time since the submission.
    #[serde(serialize_with = "crate::serialize_seconds")]
    pub after: Duration,
    /// Description, with the reason.
    pub what: String,
}

/// Reads the history of `url` from a trace, with the reason for every decision.
///
/// The URL is compared without user name, password, fragment and the values of secret query
/// parameters, because a trace does not contain these.
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
/// let history = explain(&file[..], "http://a.test/")?;
/// assert!(history.to_string().contains("(backoff): could not connect, attempt 1 of 3"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If `from` is not a trace or cannot be read.
pub fn explain(from: impl Read, url: &str) -> Result<UrlHistory, TraceError> {
    let url = url::Url::parse(url).map_or_else(|_| url.to_owned(), String::from);
    let mut replay = TraceReplay::open(from)?.with_events();
    let mut builder = HistoryBuilder {
        config: replay.config().clone(),
        live: Vec::new(),
        number: 0,
        start: replay.start(),
        history: UrlHistory {
            ending: TraceEnd::Complete,
            faithful: true,
            fetches: Vec::new(),
            url: mask_url(&url),
        },
    };
    while let Some(step) = replay.step()? {
        builder.add_step(step, replay.engine());
    }
    let report = replay.report();
    builder.history.ending = report.ending;
    builder.history.faithful = report.is_identical();
    Ok(builder.history)
}

struct HistoryBuilder {
    config: EngineConfig,
    /// Fetches of the URL that have not ended.
    live: Vec<ActiveFetch>,
    number: u64,
    start: Timestamp,
    history: UrlHistory,
}

struct ActiveFetch {
    /// Index in the history.
    index: usize,
    host: String,
    id: FetchId,
    submitted: Timestamp,
    /// Start of the wait for a slot, until its reason is added to the history.
    waiting_since: Option<Timestamp>,
}

impl HistoryBuilder {
    fn add_step(&mut self, step: ReplayStep, engine: &Engine) {
        let now = step.now;
        for (id, event) in &step.events {
            self.add_event(*id, event, now);
        }
        match (step.call, step.answer) {
            (TraceCall::Submit(request), TraceAnswer::Submitted(Ok(id))) => {
                self.number += 1;
                if mask_url(request.url.as_str()) == self.history.url {
                    self.add_fetch(&request, step.pinned, id, now, engine);
                }
            }
            (TraceCall::Handle(id, input), TraceAnswer::Handled(handled)) => {
                self.add_input(id, &input, handled, now);
            }
            (TraceCall::Cancel(id), TraceAnswer::Handled(InputEffect::Applied)) => {
                self.add_line(id, now, || "cancelled by the caller".to_owned());
            }
            (TraceCall::Close, _) => {
                self.add_line_to_all(now, "the fetcher is closed: all fetches are cancelled");
            }
            (TraceCall::PauseStarts, _) => {
                self.add_line_to_all(now, "no attempts start until the consumer takes outcomes");
            }
            (TraceCall::ResumeStarts, _) => self.add_line_to_all(now, "attempts may start again"),
            (TraceCall::SetConfig(config), _) => {
                self.config = *config;
                let what = "the limits and policies are replaced; this fetch keeps its policy";
                self.add_line_to_all(now, what);
            }
            (TraceCall::SetCrawlDelay(host, delay), _) => {
                self.add_line_at(&host, now, || {
                    format!(
                        "attempts at its host start at least {} apart from now on",
                        ShortDuration(delay)
                    )
                });
            }
            (TraceCall::TokenAcquired(profile, _), _) => {
                let name = self.profile_name(profile);
                self.add_line_to_all(now, &format!("a token for {name} arrives"));
            }
            (TraceCall::TokenFailed(profile, ..), _) => {
                let name = self.profile_name(profile);
                self.add_line_to_all(now, &format!("the request for a token for {name} fails"));
            }
            (TraceCall::Poll, TraceAnswer::Output(EngineOutput::Idle(_))) => {
                self.add_wait_reasons(now, engine);
            }
            (TraceCall::Poll, TraceAnswer::Output(output)) => self.add_output(output, now),
            _ => {}
        }
    }

    fn add_fetch(
        &mut self,
        request: &FetchRequest,
        pinned: bool,
        id: FetchId,
        now: Timestamp,
        engine: &Engine,
    ) {
        let host = request.url[..Position::AfterPort].to_owned();
        self.history.fetches.push(FetchHistory {
            lines: Vec::new(),
            number: self.number,
            submitted: now.saturating_since(self.start),
            tag: request.tag,
        });
        self.live.push(ActiveFetch {
            index: self.history.fetches.len() - 1,
            host: host.clone(),
            id,
            submitted: now,
            waiting_since: Some(now),
        });
        self.add_line(id, now, || {
            labels::describe_submission(request, &host, engine)
        });
        let policy = labels::describe_policy(request, pinned, &self.config);
        self.add_line(id, now, || policy);
    }

    fn add_event(&mut self, id: Option<FetchId>, event: &DecisionEvent, now: Timestamp) {
        let line = || labels::describe_event(event);
        match (id, event) {
            (Some(id), event) => {
                if let Some(live) = self.live.iter_mut().find(|live| live.id == id) {
                    live.update(event, now);
                }
                self.add_line(id, now, line);
            }
            (
                None,
                DecisionEvent::HostDown { host, .. }
                | DecisionEvent::HostGivenUp { host, .. }
                | DecisionEvent::HostPaused { host, .. }
                | DecisionEvent::HostRecovered { host, .. },
            ) => self.add_line_at(host, now, line),
            (None, _) => self.add_line_to_all(now, &line()),
        }
    }

    fn profile_name(&self, number: u16) -> String {
        let name = self.config.profile_name(number).unwrap_or_default();
        format!("the profile {name}")
    }

    fn add_input(&mut self, id: AttemptId, input: &Input, handled: InputEffect, now: Timestamp) {
        // The event that follows an applied head contains the status.
        let covered = matches!(input, Input::Head(_)) && handled == InputEffect::Applied;
        if !covered {
            self.add_line(id.fetch, now, || {
                labels::describe_input(id, input, handled, now)
            });
        }
    }

    /// Adds to each fetch that waits for a slot why it waits, once per wait.
    fn add_wait_reasons(&mut self, now: Timestamp, engine: &Engine) {
        let limit = self.config.concurrency_limit();
        let mut reasons = Vec::new();
        for live in &mut self.live {
            if live.waiting_since.is_some_and(|since| since <= now) {
                live.waiting_since = None;
                reasons.push((live.id, labels::describe_wait(&live.host, limit, engine)));
            }
        }
        for (id, why) in reasons {
            self.add_line(id, now, || why);
        }
    }

    fn add_output(&mut self, output: EngineOutput, now: Timestamp) {
        match output {
            EngineOutput::AcquireToken(token) => {
                let name = self.profile_name(token.profile);
                self.add_line_to_all(now, &format!("a token for {name} is requested"));
            }
            EngineOutput::Abort(id) => self.add_line(id.fetch, now, || {
                format!("attempt {}: aborted by the policy", id.number())
            }),
            EngineOutput::Accept(id) => self.add_line(id.fetch, now, || {
                format!("attempt {}: its response is used", id.number())
            }),
            EngineOutput::Discard(id) => self.add_line(id.fetch, now, || {
                let why = "to reuse the connection";
                format!(
                    "attempt {}: its body is read and discarded, {why}",
                    id.number()
                )
            }),
            EngineOutput::Done(id, outcome) => {
                self.add_line(id, now, || labels::describe_outcome(&outcome));
                self.live.retain(|live| live.id != id);
            }
            _ => {}
        }
    }

    fn add_line(&mut self, id: FetchId, now: Timestamp, line: impl FnOnce() -> String) {
        if let Some(live) = self.live.iter().find(|live| live.id == id) {
            self.history.fetches[live.index].lines.push(HistoryLine {
                after: now.saturating_since(live.submitted),
                what: line(),
            });
        }
    }

    /// Adds a line to all fetches at a host.
    fn add_line_at(&mut self, host: &str, now: Timestamp, line: impl Fn() -> String) {
        let all = self.live.iter().filter(|live| live.host == host);
        let ids: Vec<_> = all.map(|live| live.id).collect();
        ids.into_iter().for_each(|id| self.add_line(id, now, &line));
    }

    fn add_line_to_all(&mut self, now: Timestamp, line: &str) {
        let ids: Vec<_> = self.live.iter().map(|live| live.id).collect();
        ids.into_iter()
            .for_each(|id| self.add_line(id, now, || line.to_owned()));
    }
}

impl ActiveFetch {
    /// Updates the host and the wait after an event.
    fn update(&mut self, event: &DecisionEvent, now: Timestamp) {
        match event {
            DecisionEvent::Redirecting { to, .. } => {
                self.host = to[..Position::AfterPort].to_owned();
                self.waiting_since = Some(now);
            }
            // One nanosecond later, because the retry may start at the end of its delay.
            DecisionEvent::Retrying { delay, .. } => {
                self.waiting_since = Some(now + *delay + Duration::from_nanos(1));
            }
            DecisionEvent::Started { .. } => self.waiting_since = None,
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
                "\n\nfetch {number} (tag {tag}), {} after the start",
                ShortDuration(*submitted)
            )?;
            for line in &fetch.lines {
                write!(f, "\n  +{:.3}s  {}", line.after.as_secs_f64(), line.what)?;
            }
        }
        if !self.faithful {
            f.write_str(
                "\n\nthe trace does not replay identically: the recorded run may have been different",
            )?;
        }
        match self.ending {
            TraceEnd::Complete => Ok(()),
            ending => write!(f, "\n\nthe trace is {ending}"),
        }
    }
}
