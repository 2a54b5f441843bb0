//! A fetch against a scripted server.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::clock::FakeClock;
use crate::fetch::request::FetchRequest;
use crate::fetch::{Fetch, FetchStep};
use crate::model::attempt::{Attempt, HeadSummary, Input};
use crate::model::event::DecisionEvent;
use crate::model::failure::FailureKind;
use crate::model::method::Method;
use crate::model::outcome::FetchOutcome;
use crate::model::time::Timestamp;
use crate::model::verdict::ResponseVerdict;
use crate::model::wake::WakeReason;
use crate::policy::Policy;

/// A fetch against a server with prepared answers, one per attempt. Runs in virtual time.
///
/// ```
/// use fetch_proto::testing::{FetchScript, status};
/// use fetch_proto::{Backoff, Policy};
///
/// let policy = Policy::default().backoff(Backoff::default().jitter(None));
/// let mut script = FetchScript::new(policy);
/// script.answers([status(503), status(200)]);
/// assert_eq!(script.run().to_string(), "0s start · 0s 503 · 1s start · 1s 200 done");
/// ```
#[derive(Clone, Debug)]
pub struct FetchScript {
    answers: VecDeque<ScriptedAnswer>,
    policy: Policy,
    request: FetchRequest,
    seed: u64,
}

/// The server's reaction to one attempt. Created by [`status`], [`failure`] and [`hang`].
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::testing::status;
/// let slow = status(200).after(Duration::from_secs(3)).body(1 << 20);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScriptedAnswer {
    after: Duration,
    body: u64,
    kind: AnswerKind,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum AnswerKind {
    Failure(FailureKind),
    Hang,
    Head(HeadSummary),
}

/// An answer with this status and an empty body.
///
/// ```
/// # use fetch_proto::testing::status;
/// let answer = status(301).location("/elsewhere");
/// ```
#[must_use]
pub fn status(status: u16) -> ScriptedAnswer {
    ScriptedAnswer {
        after: Duration::ZERO,
        body: 0,
        kind: AnswerKind::Head(HeadSummary::status(status)),
    }
}

/// An answer that fails the attempt.
///
/// ```
/// # use fetch_proto::{FailureKind, testing::failure};
/// let answer = failure(FailureKind::Connect);
/// ```
#[must_use]
pub fn failure(failure: FailureKind) -> ScriptedAnswer {
    ScriptedAnswer {
        after: Duration::ZERO,
        body: 0,
        kind: AnswerKind::Failure(failure),
    }
}

/// The server accepts the request and never answers.
///
/// ```
/// let answer = fetch_proto::testing::hang();
/// ```
#[must_use]
pub fn hang() -> ScriptedAnswer {
    ScriptedAnswer {
        after: Duration::ZERO,
        body: 0,
        kind: AnswerKind::Hang,
    }
}

impl ScriptedAnswer {
    /// Sets what the caller decides about the response, as in [`HeadSummary::verdict`]. Without effect on
    /// failures.
    ///
    /// ```
    /// use fetch_proto::ResponseVerdict;
    /// use fetch_proto::testing::status;
    /// let answer = status(503).verdict(ResponseVerdict::Accept);
    /// ```
    #[must_use]
    pub fn verdict(mut self, verdict: ResponseVerdict) -> Self {
        if let AnswerKind::Head(head) = &mut self.kind {
            head.verdict = Some(verdict);
        }
        self
    }

    /// Sets the time from the start of the attempt to the answer. Default zero.
    ///
    /// ```
    /// # use fetch_proto::testing::status;
    /// let slow = status(200).after(core::time::Duration::from_secs(3));
    /// ```
    #[must_use]
    pub fn after(mut self, latency: Duration) -> Self {
        self.after = latency;
        self
    }

    /// Sets the size of the body in bytes. Default 0.
    ///
    /// ```
    /// # use fetch_proto::testing::status;
    /// let large = status(200).body(1 << 30);
    /// ```
    #[must_use]
    pub fn body(mut self, bytes: u64) -> Self {
        self.body = bytes;
        self
    }

    /// Sets the `Location` field.
    ///
    /// ```
    /// # use fetch_proto::testing::status;
    /// let redirect = status(302).location("http://b.test/");
    /// ```
    #[must_use]
    pub fn location(self, location: &str) -> Self {
        self.edit_head(|head| head.location = Some(location.into()))
    }

    /// Sets the `Retry-After` field.
    ///
    /// ```
    /// # use fetch_proto::testing::status;
    /// let throttled = status(429).retry_after(core::time::Duration::from_secs(30));
    /// ```
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        self.edit_head(|head| head.retry_after = Some(wait))
    }

    fn edit_head(mut self, edit: impl FnOnce(&mut HeadSummary)) -> Self {
        if let AnswerKind::Head(head) = &mut self.kind {
            edit(head);
        }
        self
    }
}

impl FetchScript {
    /// A GET of `http://a.test/` with `policy`.
    ///
    /// ```
    /// # use fetch_proto::{Policy, testing::FetchScript};
    /// let script = FetchScript::new(Policy::default());
    /// ```
    ///
    /// # Panics
    ///
    /// Never: the URL is valid.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let url = url::Url::parse("http://a.test/").expect("a valid URL");
        Self {
            answers: VecDeque::new(),
            policy,
            request: FetchRequest::get(url),
            seed: 0,
        }
    }

    /// Adds answers, one per attempt.
    ///
    /// ```
    /// # use fetch_proto::{Policy, testing::{FetchScript, hang, status}};
    /// FetchScript::new(Policy::default()).answers([hang(), status(200)]);
    /// ```
    pub fn answers(&mut self, answers: impl IntoIterator<Item = ScriptedAnswer>) -> &mut Self {
        self.answers.extend(answers);
        self
    }

    /// Sets the method.
    ///
    /// ```
    /// # use fetch_proto::{Method, Policy, testing::FetchScript};
    /// FetchScript::new(Policy::default()).method(Method::Post);
    /// ```
    pub fn method(&mut self, method: Method) -> &mut Self {
        self.request.method = method;
        self
    }

    /// Changes the request.
    ///
    /// ```
    /// # use fetch_proto::{Policy, RequestBodyKind, testing::FetchScript};
    /// FetchScript::new(Policy::default()).request(|request| request.body = RequestBodyKind::Replayable);
    /// ```
    pub fn request(&mut self, edit: impl FnOnce(&mut FetchRequest)) -> &mut Self {
        edit(&mut self.request);
        self
    }

    /// Sets the seed of the jitter. Default 0.
    ///
    /// ```
    /// # use fetch_proto::{Policy, testing::FetchScript};
    /// FetchScript::new(Policy::default()).seed(7);
    /// ```
    pub fn seed(&mut self, seed: u64) -> &mut Self {
        self.seed = seed;
        self
    }

    /// Runs the fetch to its end.
    ///
    /// ```
    /// # use fetch_proto::{Policy, testing::{FetchScript, status}};
    /// let mut script = FetchScript::new(Policy::default());
    /// script.answers([status(404)]);
    /// assert_eq!(script.run().to_string(), "0s start · 0s 404 done");
    /// ```
    ///
    /// # Panics
    ///
    /// If there are more attempts than answers, or if the fetch would wait forever.
    #[must_use]
    pub fn run(&mut self) -> ScriptRun {
        let clock = FakeClock::default();
        let policy = self.policy.clone().into();
        let fetch = Fetch::new(self.request.clone(), policy, self.seed, clock.now()).with_events();
        let mut player = ScriptPlayer {
            answers: core::mem::take(&mut self.answers),
            attempts: Vec::new(),
            clock,
            pending: Vec::new(),
            events: Vec::new(),
            fetch,
            trace: Vec::new(),
            last_wake: None,
        };
        let outcome = player.play();
        ScriptRun {
            attempts: player.attempts,
            events: player.events,
            outcome,
            trace: player.trace,
        }
    }
}

/// The result of a [`FetchScript`]. `Display` gives the trace on one line.
///
/// ```
/// # use fetch_proto::{Policy, testing::{FetchScript, status}};
/// let run = FetchScript::new(Policy::default()).answers([status(200)]).run();
/// assert_eq!((run.attempts().len(), run.outcome().status()), (1, Some(200)));
/// assert_eq!(run.to_string(), "0s start · 0s 200 done");
/// ```
#[derive(Clone, Debug)]
pub struct ScriptRun {
    attempts: Vec<Attempt>,
    events: Vec<DecisionEvent>,
    outcome: FetchOutcome,
    trace: Vec<String>,
}

impl ScriptRun {
    /// The attempts, as a driver would receive them.
    ///
    /// ```
    /// # use fetch_proto::{Policy, testing::{FetchScript, status}};
    /// # let mut script = FetchScript::new(Policy::default());
    /// script.answers([status(302).location("/next"), status(200)]);
    /// assert_eq!(script.run().attempts()[1].url.path(), "/next");
    /// ```
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The decisions and their reasons.
    ///
    /// ```
    /// # use fetch_proto::{DecisionEvent, Policy, testing::{FetchScript, status}};
    /// # let mut script = FetchScript::new(Policy::default());
    /// script.answers([status(200)]);
    /// assert!(matches!(script.run().events()[0], DecisionEvent::Started { attempt: 1, .. }));
    /// ```
    #[must_use]
    pub fn events(&self) -> &[DecisionEvent] {
        &self.events
    }

    /// The outcome of the fetch.
    ///
    /// ```
    /// # use fetch_proto::{Policy, testing::{FetchScript, status}};
    /// # let mut script = FetchScript::new(Policy::default());
    /// script.answers([status(204)]);
    /// assert_eq!(script.run().outcome().status(), Some(204));
    /// ```
    #[must_use]
    pub fn outcome(&self) -> &FetchOutcome {
        &self.outcome
    }

    /// The events with their times, one line each.
    ///
    /// ```
    /// # use fetch_proto::{Policy, testing::{FetchScript, status}};
    /// # let mut script = FetchScript::new(Policy::default());
    /// script.answers([status(200)]);
    /// assert_eq!(script.run().trace(), ["0s start", "0s 200 done"]);
    /// ```
    #[must_use]
    pub fn trace(&self) -> &[String] {
        &self.trace
    }
}

impl fmt::Display for ScriptRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.trace.join(" · "))
    }
}

struct ScriptPlayer {
    answers: VecDeque<ScriptedAnswer>,
    attempts: Vec<Attempt>,
    clock: FakeClock,
    /// Answers that have not arrived yet.
    pending: Vec<(Timestamp, Attempt, ScriptedAnswer)>,
    events: Vec<DecisionEvent>,
    fetch: Fetch,
    trace: Vec<String>,
    /// Why the clock last moved, if not for an answer.
    last_wake: Option<WakeReason>,
}

impl ScriptPlayer {
    fn play(&mut self) -> FetchOutcome {
        loop {
            match self.fetch.poll(self.clock.now()) {
                FetchStep::Abort(id) => {
                    self.pending.retain(|(_, attempt, _)| attempt.id != id);
                    if let Some(WakeReason::Limit(limit)) = self.last_wake {
                        self.log(&format!("{limit} timeout"));
                    }
                }
                FetchStep::Accept(_) | FetchStep::Discard(_) => {}
                FetchStep::Done(outcome) => {
                    self.log_end(&outcome);
                    return outcome;
                }
                FetchStep::Event(event) => self.events.push(event),
                FetchStep::Ready => self.start(),
                FetchStep::Start(attempt) => self.send(*attempt),
                FetchStep::Wait(wake) => {
                    let arrival = self.pending.iter().map(|(at, ..)| *at).min();
                    // A limit that is reached when the answer arrives applies first.
                    let first = wake.filter(|wake| arrival.is_none_or(|at| wake.at <= at));
                    self.last_wake = first.map(|wake| wake.why);
                    match (first, arrival) {
                        (Some(wake), _) => self.clock.advance_to(wake.at),
                        (None, Some(at)) => {
                            self.clock.advance_to(at);
                            self.deliver();
                        }
                        (None, None) => panic!("the fetch waits forever"),
                    }
                }
            }
        }
    }

    fn start(&mut self) {
        let now = self.clock.now();
        let racing = self.fetch.is_in_flight();
        match self.fetch.start(now) {
            Some(attempt) => self.send(attempt),
            None if racing || self.fetch.is_in_flight() => {} // not needed, or delayed by an injected fault
            None => panic!("a ready fetch did not start"),
        }
    }

    fn send(&mut self, attempt: Attempt) {
        let number = attempt.id.number();
        let answer = self.answers.pop_front();
        let answer = answer.unwrap_or_else(|| panic!("no answer for attempt {number}"));
        self.log("start");
        self.attempts.push(attempt.clone());
        if answer.kind != AnswerKind::Hang {
            let at = self.clock.now() + answer.after;
            self.pending.push((at, attempt, answer));
        }
    }

    fn log(&mut self, what: &str) {
        self.trace.push(format!("{} {what}", self.clock.now()));
    }

    /// Delivers the answer that is due; of several, the one to the earliest attempt.
    fn deliver(&mut self) {
        let now = self.clock.now();
        let due = self.pending.iter().position(|(at, ..)| *at <= now);
        let Some((_, attempt, answer)) = due.map(|index| self.pending.remove(index)) else {
            return;
        };
        let inputs = match answer.kind {
            AnswerKind::Failure(failure) => {
                self.trace.push(format!("{now} {}", failure.as_str()));
                [Some(Input::End(Err(failure))), None, None]
            }
            AnswerKind::Head(head) => {
                self.trace.push(format!("{now} {}", head.status));
                let body = (answer.body > 0).then_some(Input::Body { bytes: answer.body });
                [Some(Input::Head(head)), body, Some(Input::End(Ok(())))]
            }
            AnswerKind::Hang => [None, None, None],
        };
        for input in inputs.into_iter().flatten() {
            let _ = self.fetch.handle(attempt.id, input, now);
        }
    }

    /// Logs the end, on the last line if that has the same time.
    fn log_end(&mut self, outcome: &FetchOutcome) {
        let now = self.clock.now().to_string();
        let end = if outcome.result.is_ok() {
            "done"
        } else {
            "failed"
        };
        match self.trace.last_mut() {
            Some(last) if last.split(' ').next() == Some(&now) => {
                last.push(' ');
                last.push_str(end);
            }
            _ => self.trace.push(format!("{now} {end}")),
        }
    }
}
