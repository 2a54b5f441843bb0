//! What a trace tells of the servers and of the callers.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use fetch_proto::{
    AttemptId, DurationHistogram, EngineConfig, EngineOutput, FetchId, FetchRequest, Input,
    InputEffect, Timestamp,
};
use url::{Position, Url};

use super::RunTotals;
use crate::call::{TraceAnswer, TraceCall};
use crate::error::TraceError;
use crate::reader::TraceEnd;
use crate::replay::{ReplayStep, TraceReplay};

/// All that is known.
#[derive(Debug)]
pub(super) struct RunModel {
    pub(super) closed: Option<Timestamp>,
    pub(super) config: EngineConfig,
    pub(super) ending: TraceEnd,
    /// Whether the replay, from which all this comes, was identical.
    pub(super) faithful: bool,
    pub(super) fetches: Vec<FetchModel>,
    pub(super) hosts: BTreeMap<String, HostModel>,
    /// Fetches whose policy a secret decides, so that it is not known in another run.
    pub(super) pinned: u64,
    pub(super) recorded: RunTotals,
    pub(super) seed: u64,
    pub(super) start: Timestamp,
}

/// One fetch as it was recorded.
#[derive(Debug)]
pub(super) struct FetchModel {
    pub(super) attempts: Vec<AttemptModel>,
    pub(super) cancelled: Option<Timestamp>,
    pub(super) request: FetchRequest,
    /// When it was there to be submitted.
    pub(super) there: Timestamp,
}

/// One attempt as it was seen.
#[derive(Debug)]
pub(super) struct AttemptModel {
    number: u16,
    started: Timestamp,
    pub(super) end: AttemptEnding,
    /// What was seen, and how long after the start. The times of marks are counted from there too.
    pub(super) seen: Vec<(Duration, Input)>,
    pub(super) url: Arc<Url>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AttemptEnding {
    /// By itself.
    Own,
    /// The engine dropped it, or the trace ends: what would have come is not known.
    Dropped(Duration),
    /// It is in flight.
    Open,
}

/// How long one host took.
#[derive(Debug, Default)]
pub(super) struct HostModel {
    /// For complete responses.
    pub(super) answers: DurationHistogram,
    /// For all attempts.
    pub(super) all: DurationHistogram,
    /// The last attempt that failed: fetch and place.
    pub(super) failure: Option<(usize, usize)>,
}

impl AttemptModel {
    /// Whether it came to nothing, or to a response that a later try may better.
    pub(super) fn failed(&self) -> bool {
        let bad = |input: &Input| match input {
            Input::End(result) => result.is_err(),
            Input::Head(head) => matches!(head.status, 408 | 425 | 429 | 500..),
            _ => false,
        };
        self.end != AttemptEnding::Own || self.seen.iter().any(|(_, input)| bad(input))
    }

    fn took(&self) -> Duration {
        match self.end {
            AttemptEnding::Dropped(after) => after,
            _ => self.seen.last().map_or(Duration::ZERO, |(after, _)| *after),
        }
    }
}

/// Scheme, host and port.
pub(super) fn origin(url: &Url) -> &str {
    &url[..Position::AfterPort]
}

impl RunModel {
    pub(super) fn read(from: impl Read) -> Result<Self, TraceError> {
        let mut replay = TraceReplay::open(from)?;
        let model = Self {
            closed: None,
            config: replay.config().clone(),
            ending: TraceEnd::Complete,
            faithful: true,
            fetches: Vec::new(),
            hosts: BTreeMap::new(),
            pinned: 0,
            recorded: RunTotals::default(),
            seed: replay.seed(),
            start: replay.start(),
        };
        let mut building = RunModelBuilder {
            last: model.start,
            live: 0,
            model,
            slots: Vec::new(),
            waited: false,
        };
        while let Some(moment) = replay.step()? {
            building.take(moment);
        }
        let report = replay.report();
        building.model.ending = report.ending;
        building.model.faithful = report.is_identical();
        Ok(building.finish())
    }
}

struct RunModelBuilder {
    last: Timestamp,
    live: usize,
    model: RunModel,
    /// The fetch in each slot.
    slots: Vec<usize>,
    /// Whether there was no room at some time since the last submission.
    waited: bool,
}

impl RunModelBuilder {
    fn take(&mut self, moment: ReplayStep) {
        let ReplayStep {
            answer,
            call,
            now,
            pinned,
            ..
        } = moment;
        self.last = self.last.max(now);
        match (call, answer) {
            (TraceCall::Submit(request), TraceAnswer::Submitted(Ok(id))) => {
                self.submitted(request, pinned, id, now);
            }
            (TraceCall::Handle(id, input), TraceAnswer::Handled(InputEffect::Applied)) => {
                self.handled(id, input, now);
            }
            (TraceCall::Cancel(id), TraceAnswer::Handled(InputEffect::Applied)) => {
                let fetch = self.slots.get(id.slot()).copied();
                if let Some(fetch) = fetch.and_then(|fetch| self.model.fetches.get_mut(fetch)) {
                    fetch.cancelled.get_or_insert(now);
                }
            }
            // Every run ends with one; only one that cancels something is of interest.
            (TraceCall::Close, _) if self.live > 0 => {
                self.model.closed.get_or_insert(now);
            }
            (TraceCall::Poll, TraceAnswer::Output(output)) => self.said(output, now),
            _ => {}
        }
    }

    fn submitted(&mut self, mut request: FetchRequest, pinned: bool, id: FetchId, now: Timestamp) {
        if pinned {
            request.policy = None;
            self.model.pinned += 1;
        }
        let before = self.model.fetches.last().map(|fetch| fetch.there);
        let there = before.filter(|_| self.waited).unwrap_or(now);
        self.waited = false;
        if self.slots.len() <= id.slot() {
            self.slots.resize(id.slot() + 1, 0);
        }
        self.slots[id.slot()] = self.model.fetches.len();
        self.model.fetches.push(FetchModel {
            attempts: Vec::new(),
            cancelled: None,
            request,
            there,
        });
    }

    fn said(&mut self, output: EngineOutput, now: Timestamp) {
        match output {
            EngineOutput::Abort(id) => {
                if let Some(attempt) = self.attempt(id) {
                    attempt.end = AttemptEnding::Dropped(now.saturating_since(attempt.started));
                }
            }
            EngineOutput::Done(_, outcome) => self.model.recorded.record(&outcome, now),
            EngineOutput::Idle(idle) => {
                self.live = idle.live;
                self.waited |= idle.room == 0;
            }
            EngineOutput::Start(attempt) => {
                let fetch = self.slots.get(attempt.id.fetch.slot()).copied();
                if let Some(fetch) = fetch.and_then(|fetch| self.model.fetches.get_mut(fetch)) {
                    fetch.attempts.push(AttemptModel {
                        end: AttemptEnding::Open,
                        number: attempt.id.number(),
                        seen: Vec::new(),
                        started: now,
                        url: attempt.url,
                    });
                }
            }
            _ => {}
        }
    }

    fn handled(&mut self, id: AttemptId, input: Input, now: Timestamp) {
        let Some(attempt) = self.attempt(id) else {
            return;
        };
        let input = match input {
            Input::Mark(phase, at) => {
                let after = at.saturating_since(attempt.started);
                Input::Mark(phase, Timestamp::from_start(after))
            }
            other => other,
        };
        if matches!(input, Input::End(_)) {
            attempt.end = AttemptEnding::Own;
        }
        attempt
            .seen
            .push((now.saturating_since(attempt.started), input));
    }

    fn attempt(&mut self, id: AttemptId) -> Option<&mut AttemptModel> {
        let fetch = *self.slots.get(id.fetch.slot())?;
        let attempts = self.model.fetches.get_mut(fetch)?.attempts.iter_mut();
        attempts.rev().find(|attempt| attempt.number == id.number())
    }

    /// Adds up what is known of each host.
    fn finish(mut self) -> RunModel {
        for (index, fetch) in self.model.fetches.iter_mut().enumerate() {
            for (place, attempt) in fetch.attempts.iter_mut().enumerate() {
                if attempt.end == AttemptEnding::Open {
                    attempt.end =
                        AttemptEnding::Dropped(self.last.saturating_since(attempt.started));
                }
                let failed = attempt.failed();
                for name in [origin(&attempt.url), ""] {
                    let host = match self.model.hosts.get_mut(name) {
                        Some(host) => host,
                        None => self.model.hosts.entry(name.to_owned()).or_default(),
                    };
                    host.all.record(attempt.took());
                    if failed {
                        host.failure = Some((index, place));
                    } else {
                        host.answers.record(attempt.took());
                    }
                }
            }
        }
        self.model
    }
}
