//! Model of the servers and callers of a recorded run.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use fetch_proto::{
    AttemptId, DurationHistogram, EngineConfig, EngineOutput, FetchId, FetchRequest, Input,
    InputEffect, Timestamp,
};
use url::Url;

use super::RunTotals;
use crate::call::{TraceAnswer, TraceCall};
use crate::error::TraceError;
use crate::reader::TraceEnd;
use crate::replay::{ReplayStep, TraceReplay};
use crate::virtual_run::{SettingsChange, TokenEnd};

/// Everything known about a recorded run.
#[derive(Debug)]
pub(super) struct RunModel {
    /// Changes of the settings while the run went on.
    pub(super) changes: Vec<(Timestamp, SettingsChange)>,
    pub(super) closed: Option<Timestamp>,
    pub(super) config: EngineConfig,
    pub(super) ending: TraceEnd,
    /// Whether the replay that this model was made from was identical.
    pub(super) faithful: bool,
    pub(super) fetches: Vec<FetchModel>,
    pub(super) hosts: BTreeMap<String, HostModel>,
    /// Fetches whose policy was selected by a secret: it is not known in another run.
    pub(super) pinned: u64,
    pub(super) recorded: RunTotals,
    pub(super) seed: u64,
    pub(super) start: Timestamp,
    /// The acquisitions of each profile, in order.
    pub(super) tokens: BTreeMap<u16, Vec<TokenModel>>,
}

/// One recorded acquisition of a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenModel {
    started: Timestamp,
    /// How it ended, and how long it took; `None` if the engine gave it up or the trace ends before.
    pub(super) end: Option<(Duration, TokenEnd)>,
}

/// One recorded fetch.
#[derive(Debug)]
pub(super) struct FetchModel {
    pub(super) attempts: Vec<AttemptModel>,
    pub(super) cancelled: Option<Timestamp>,
    pub(super) request: FetchRequest,
    /// Time from which the request could be submitted.
    pub(super) available_at: Timestamp,
}

/// One recorded attempt.
#[derive(Debug)]
pub(super) struct AttemptModel {
    number: u16,
    started: Timestamp,
    pub(super) end: AttemptEnd,
    /// Inputs and their times since the start of the attempt. Marks have times since that start too.
    pub(super) seen: Vec<(Duration, Input)>,
    pub(super) url: Arc<Url>,
}

/// End of a recorded attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AttemptEnd {
    /// The attempt ended by itself.
    Complete,
    /// The engine aborted it, or the trace ends, after this time. The rest is not known.
    Dropped(Duration),
    /// The attempt is in flight; used only while the model is built.
    InFlight,
}

/// Durations of the attempts at one host.
#[derive(Debug, Default)]
pub(super) struct HostModel {
    /// Durations of successful attempts.
    pub(super) response_times: DurationHistogram,
    /// Durations of all attempts.
    pub(super) attempt_times: DurationHistogram,
    /// The last failed attempt: index of the fetch, index of the attempt.
    pub(super) failure: Option<(usize, usize)>,
}

impl AttemptModel {
    /// Returns whether the attempt failed, was aborted, or had a status that is worth a retry.
    pub(super) fn has_failed(&self) -> bool {
        let bad = |input: &Input| match input {
            Input::End(result) => result.is_err(),
            Input::Head(head) => matches!(head.status, 408 | 425 | 429 | 500..),
            _ => false,
        };
        self.end != AttemptEnd::Complete || self.seen.iter().any(|(_, input)| bad(input))
    }

    fn duration(&self) -> Duration {
        match self.end {
            AttemptEnd::Dropped(after) => after,
            _ => self.seen.last().map_or(Duration::ZERO, |(after, _)| *after),
        }
    }
}

impl RunModel {
    pub(super) fn read(from: impl Read) -> Result<Self, TraceError> {
        let mut replay = TraceReplay::open(from)?;
        let model = Self {
            changes: Vec::new(),
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
            tokens: BTreeMap::new(),
        };
        let mut builder = RunModelBuilder {
            last: model.start,
            live: 0,
            model,
            slots: Vec::new(),
            was_full: false,
        };
        while let Some(step) = replay.step()? {
            builder.add_step(step);
        }
        let report = replay.report();
        builder.model.ending = report.ending;
        builder.model.faithful = report.is_identical();
        Ok(builder.finish())
    }
}

struct RunModelBuilder {
    last: Timestamp,
    live: usize,
    model: RunModel,
    /// Index of the fetch in each slot of the engine.
    slots: Vec<usize>,
    /// Whether the engine had no room at some time since the last submission.
    was_full: bool,
}

impl RunModelBuilder {
    fn add_step(&mut self, step: ReplayStep) {
        let ReplayStep {
            answer,
            call,
            now,
            pinned,
            ..
        } = step;
        self.last = self.last.max(now);
        match (call, answer) {
            (TraceCall::Submit(request), TraceAnswer::Submitted(Ok(id))) => {
                self.add_fetch(request, pinned, id, now);
            }
            (TraceCall::Handle(id, input), TraceAnswer::Handled(InputEffect::Applied)) => {
                self.add_input(id, input, now);
            }
            (TraceCall::Cancel(id), TraceAnswer::Handled(InputEffect::Applied)) => {
                let fetch = self.slots.get(id.slot()).copied();
                if let Some(fetch) = fetch.and_then(|fetch| self.model.fetches.get_mut(fetch)) {
                    fetch.cancelled.get_or_insert(now);
                }
            }
            // Every run ends with a close. Only one that cancels live fetches matters.
            (TraceCall::Close, _) if self.live > 0 => {
                self.model.closed.get_or_insert(now);
            }
            (TraceCall::SetConfig(config), _) => {
                let change = SettingsChange::Config(config);
                self.model.changes.push((now, change));
            }
            (TraceCall::SetCrawlDelay(host, delay), _) => {
                let change = SettingsChange::CrawlDelay(host, delay);
                self.model.changes.push((now, change));
            }
            (TraceCall::TokenAcquired(profile, life), _) => {
                self.end_acquisition(profile, TokenEnd::Acquired(life), now);
            }
            (TraceCall::TokenFailed(profile, failure, pause), _) => {
                self.end_acquisition(profile, TokenEnd::Failed(failure, pause), now);
            }
            (TraceCall::Poll, TraceAnswer::Output(output)) => self.add_output(output, now),
            _ => {}
        }
    }

    fn add_fetch(&mut self, mut request: FetchRequest, pinned: bool, id: FetchId, now: Timestamp) {
        if pinned {
            request.policy = None;
            self.model.pinned += 1;
        }
        let before = self.model.fetches.last().map(|fetch| fetch.available_at);
        let available_at = before.filter(|_| self.was_full).unwrap_or(now);
        self.was_full = false;
        if self.slots.len() <= id.slot() {
            self.slots.resize(id.slot() + 1, 0);
        }
        self.slots[id.slot()] = self.model.fetches.len();
        self.model.fetches.push(FetchModel {
            attempts: Vec::new(),
            cancelled: None,
            request,
            available_at,
        });
    }

    fn add_output(&mut self, output: EngineOutput, now: Timestamp) {
        match output {
            EngineOutput::Abort(id) => {
                if let Some(attempt) = self.attempt_mut(id) {
                    attempt.end = AttemptEnd::Dropped(now.saturating_since(attempt.started));
                }
            }
            EngineOutput::AcquireToken(token) => {
                let acquisitions = self.model.tokens.entry(token.profile).or_default();
                acquisitions.push(TokenModel {
                    started: now,
                    end: None,
                });
            }
            EngineOutput::Done(_, outcome) => self.model.recorded.record(&outcome, now),
            EngineOutput::Idle(idle) => {
                self.live = idle.live;
                self.was_full |= idle.room == 0;
            }
            EngineOutput::Start(attempt) => {
                let fetch = self.slots.get(attempt.id.fetch.slot()).copied();
                if let Some(fetch) = fetch.and_then(|fetch| self.model.fetches.get_mut(fetch)) {
                    fetch.attempts.push(AttemptModel {
                        end: AttemptEnd::InFlight,
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

    fn end_acquisition(&mut self, profile: u16, end: TokenEnd, now: Timestamp) {
        let acquisitions = self.model.tokens.get_mut(&profile);
        if let Some(last) = acquisitions.and_then(|all| all.last_mut()) {
            let took = now.saturating_since(last.started);
            last.end.get_or_insert((took, end));
        }
    }

    fn add_input(&mut self, id: AttemptId, input: Input, now: Timestamp) {
        let Some(attempt) = self.attempt_mut(id) else {
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
            attempt.end = AttemptEnd::Complete;
        }
        attempt
            .seen
            .push((now.saturating_since(attempt.started), input));
    }

    fn attempt_mut(&mut self, id: AttemptId) -> Option<&mut AttemptModel> {
        let fetch = *self.slots.get(id.fetch.slot())?;
        let attempts = self.model.fetches.get_mut(fetch)?.attempts.iter_mut();
        attempts.rev().find(|attempt| attempt.number == id.number())
    }

    /// Computes the models of the hosts.
    fn finish(mut self) -> RunModel {
        for (index, fetch) in self.model.fetches.iter_mut().enumerate() {
            for (attempt_index, attempt) in fetch.attempts.iter_mut().enumerate() {
                if attempt.end == AttemptEnd::InFlight {
                    attempt.end = AttemptEnd::Dropped(self.last.saturating_since(attempt.started));
                }
                let failed = attempt.has_failed();
                for name in [&*fetch_proto::url_origin(&attempt.url), ""] {
                    let host = match self.model.hosts.get_mut(name) {
                        Some(host) => host,
                        None => self.model.hosts.entry(name.to_owned()).or_default(),
                    };
                    host.attempt_times.record(attempt.duration());
                    if failed {
                        host.failure = Some((index, attempt_index));
                    } else {
                        host.response_times.record(attempt.duration());
                    }
                }
            }
        }
        self.model
    }
}
