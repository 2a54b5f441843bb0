//! Servers that answer as recorded, and by assumption where nothing was recorded.

use std::collections::HashMap;
use std::time::Duration;

use fetch_proto::{Attempt, AttemptId, FetchOutcome, HeadSummary, Input, Timestamp, TokenUse};

use super::model::{self, AttemptEnd, HostModel, RunModel};
use super::{RunResult, RunTotals};
use crate::virtual_run::{ScheduledStep, ServerModel, TokenEnd};

/// Assumption about attempts that were not recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Assumption {
    Optimistic,
    Pessimistic,
}

/// The recorded servers, and the state of one simulated run.
pub(super) struct RecordedServers<'a> {
    assumption: Assumption,
    model: &'a RunModel,
    /// For each fetch, which of its recorded attempts have been used.
    used: Vec<Vec<bool>>,
    /// For each fetch, whether it needed an assumption.
    unseen: Vec<bool>,
    totals: RunTotals,
    /// How many tokens of each profile were acquired.
    tokens: HashMap<u16, usize>,
    /// Attempts whose recording breaks off: their host, and whether a head was recorded.
    unfinished: HashMap<AttemptId, (String, bool)>,
}

impl<'a> RecordedServers<'a> {
    pub(super) fn new(model: &'a RunModel, assumption: Assumption) -> Self {
        let count = model.fetches.len();
        let fetches = model.fetches.iter();
        Self {
            assumption,
            model,
            unfinished: HashMap::new(),
            tokens: HashMap::new(),
            totals: RunTotals::default(),
            unseen: vec![false; count],
            used: fetches
                .map(|fetch| vec![false; fetch.attempts.len()])
                .collect(),
        }
    }

    pub(super) fn finish(self) -> RunResult {
        RunResult {
            totals: self.totals,
            unseen: self.unseen.iter().filter(|unseen| **unseen).count() as u64,
        }
    }

    /// Returns the model of the host; of all hosts together if the host is unknown.
    fn host_model(&self, name: &str) -> Option<&'a HostModel> {
        let hosts = &self.model.hosts;
        hosts.get(name).or_else(|| hosts.get(""))
    }

    fn median_response_time(&self, name: &str) -> Duration {
        let host = self.host_model(name);
        let median = host.and_then(|host| host.response_times.percentile(5_000));
        // A host that never answered is assumed to be as fast as the others.
        let median = median.or_else(|| self.host_model("")?.response_times.percentile(5_000));
        median.unwrap_or(Duration::ZERO)
    }

    fn p99(&self, name: &str) -> Duration {
        let host = self.host_model(name);
        host.and_then(|host| host.attempt_times.percentile(9_900))
            .unwrap_or_default()
    }

    /// Returns the recorded attempt that an unrecorded one is assumed to repeat.
    fn failure_template(&self, fetch: usize, host: &str) -> Option<&'a model::AttemptModel> {
        let attempts = &self.model.fetches[fetch].attempts;
        let own = attempts.iter().rev().find(|attempt| attempt.has_failed());
        let of_host = || {
            let (fetch, attempt) = self.host_model(host)?.failure?;
            self.model.fetches.get(fetch)?.attempts.get(attempt)
        };
        own.or_else(of_host).or_else(|| attempts.last())
    }

    fn assume_steps(
        &self,
        fetch: usize,
        host: &str,
        now: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)> {
        if self.assumption == Assumption::Optimistic {
            return success_steps(now + self.median_response_time(host));
        }
        let late = self.p99(host);
        let Some(template) = self.failure_template(fetch, host) else {
            return success_steps(now + late);
        };
        let again = template.seen.iter().map(|(after, input)| {
            let after = match input {
                Input::Mark(..) => *after,
                _ => late.max(*after),
            };
            (now + after, rebase_input(input, now))
        });
        again.collect()
    }
}

impl ServerModel for RecordedServers<'_> {
    fn start_attempt(
        &mut self,
        fetch: usize,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)> {
        let host = fetch_proto::url_origin(&attempt.url).into_owned();
        let recorded = &self.model.fetches[fetch].attempts;
        let used = &mut self.used[fetch];
        let known = recorded.iter().zip(used.iter_mut());
        let known = known
            .filter(|(recorded, used)| !**used && recorded.url == attempt.url)
            .map(|(recorded, used)| {
                *used = true;
                recorded
            })
            .next();
        match known {
            Some(known) => {
                let seen = known.seen.iter();
                let mut steps: Vec<_> = seen
                    .map(|(after, input)| (now + *after, rebase_input(input, now)))
                    .collect();
                if let AttemptEnd::Dropped(after) = known.end {
                    // One nanosecond later, so that the cause of the abort comes first again.
                    steps.push((
                        now + after + Duration::from_nanos(1),
                        ScheduledStep::Continue,
                    ));
                    let is_head = |(_, input): &(_, Input)| matches!(input, Input::Head(_));
                    let head_seen = known.seen.iter().any(is_head);
                    self.unfinished.insert(attempt.id, (host, head_seen));
                }
                steps
            }
            None => {
                self.unseen[fetch] = true;
                self.assume_steps(fetch, &host, now)
            }
        }
    }

    fn continue_attempt(
        &mut self,
        fetch: usize,
        id: AttemptId,
        now: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)> {
        self.unseen[fetch] = true;
        let (host, head_seen) = self.unfinished.remove(&id).unwrap_or_default();
        if self.assumption == Assumption::Pessimistic {
            return Vec::new();
        }
        let mut rest = success_steps(now + self.median_response_time(&host));
        if head_seen {
            rest.remove(0);
        }
        rest
    }

    /// As recorded. After the last one, as the last that has ended; if none has, at once.
    fn acquire_token(&mut self, token: TokenUse, now: Timestamp) -> (Timestamp, TokenEnd) {
        let number = self.tokens.entry(token.profile).or_default();
        let recorded = self.model.tokens.get(&token.profile);
        let recorded = recorded.map_or(&[][..], Vec::as_slice);
        let known = recorded.get(*number).and_then(|one| one.end);
        *number += 1;
        let last = || recorded.iter().rev().find_map(|one| one.end);
        let (took, end) = known
            .or_else(last)
            .unwrap_or((Duration::ZERO, TokenEnd::Acquired(None)));
        (now + took, end)
    }

    fn record_outcome(&mut self, _: usize, outcome: &FetchOutcome, now: Timestamp) {
        self.totals.record(outcome, now);
    }
}

/// Returns the steps of a complete response with status 200.
fn success_steps(at: Timestamp) -> Vec<(Timestamp, ScheduledStep)> {
    vec![
        (
            at,
            ScheduledStep::Input(Input::Head(HeadSummary::status(200))),
        ),
        (at, ScheduledStep::Input(Input::End(Ok(())))),
    ]
}

/// Returns a recorded input as a step of an attempt that starts now.
fn rebase_input(input: &Input, now: Timestamp) -> ScheduledStep {
    ScheduledStep::Input(match input {
        Input::Mark(phase, at) => Input::Mark(*phase, now + at.since_start()),
        other => other.clone(),
    })
}
