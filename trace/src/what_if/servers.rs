//! The servers of a trace, and a guess where it has not seen them.

use std::collections::HashMap;
use std::time::Duration;

use fetch_proto::{Attempt, AttemptId, FetchOutcome, HeadSummary, Input, Timestamp};

use super::model::{self, AttemptEnding, HostModel, RunModel, origin};
use super::{RunResult, RunTotals};
use crate::virtual_run::{ScheduledStep, ServerModel};

/// How attempts go that were never seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Assumption {
    Optimistic,
    Pessimistic,
}

/// What can be answered, and what was.
pub(super) struct RecordedServers<'a> {
    guess: Assumption,
    model: &'a RunModel,
    /// For each fetch, which of its recorded attempts were used.
    used: Vec<Vec<bool>>,
    /// For each fetch, whether anything about it was guessed.
    unseen: Vec<bool>,
    totals: RunTotals,
    /// Attempts whose recorded course breaks off: their host, and whether the head was seen.
    open: HashMap<AttemptId, (String, bool)>,
}

impl<'a> RecordedServers<'a> {
    pub(super) fn new(model: &'a RunModel, guess: Assumption) -> Self {
        let count = model.fetches.len();
        let fetches = model.fetches.iter();
        Self {
            guess,
            model,
            open: HashMap::new(),
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

    /// What is known of the host; of all hosts, where it is not known.
    fn host(&self, name: &str) -> Option<&'a HostModel> {
        let hosts = &self.model.hosts;
        hosts.get(name).or_else(|| hosts.get(""))
    }

    fn median(&self, name: &str) -> Duration {
        let host = self.host(name);
        let median = host.and_then(|host| host.answers.percentile(5_000));
        // A host that never answered: as fast as the others.
        let median = median.or_else(|| self.host("")?.answers.percentile(5_000));
        median.unwrap_or(Duration::ZERO)
    }

    fn p99(&self, name: &str) -> Duration {
        let host = self.host(name);
        host.and_then(|host| host.all.percentile(9_900))
            .unwrap_or_default()
    }

    /// The recorded attempt that is the model for one that was never seen.
    fn pattern(&self, fetch: usize, host: &str) -> Option<&'a model::AttemptModel> {
        let attempts = &self.model.fetches[fetch].attempts;
        let own = attempts.iter().rev().find(|attempt| attempt.failed());
        let of_host = || {
            let (fetch, place) = self.host(host)?.failure?;
            self.model.fetches.get(fetch)?.attempts.get(place)
        };
        own.or_else(of_host).or_else(|| attempts.last())
    }

    fn guess(&self, fetch: usize, host: &str, now: Timestamp) -> Vec<(Timestamp, ScheduledStep)> {
        if self.guess == Assumption::Optimistic {
            return answer(now + self.median(host));
        }
        let late = self.p99(host);
        let Some(pattern) = self.pattern(fetch, host) else {
            return answer(now + late);
        };
        let again = pattern.seen.iter().map(|(after, input)| {
            let after = match input {
                Input::Mark(..) => *after,
                _ => late.max(*after),
            };
            (now + after, based(input, now))
        });
        again.collect()
    }
}

impl ServerModel for RecordedServers<'_> {
    fn start(
        &mut self,
        fetch: usize,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Vec<(Timestamp, ScheduledStep)> {
        let host = origin(&attempt.url).to_owned();
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
                let mut course: Vec<_> = seen
                    .map(|(after, input)| (now + *after, based(input, now)))
                    .collect();
                if let AttemptEnding::Dropped(after) = known.end {
                    // A moment later: whatever made the engine drop it comes first again.
                    course.push((now + after + Duration::from_nanos(1), ScheduledStep::Ask));
                    let is_head = |(_, input): &(_, Input)| matches!(input, Input::Head(_));
                    let headed = known.seen.iter().any(is_head);
                    self.open.insert(attempt.id, (host, headed));
                }
                course
            }
            None => {
                self.unseen[fetch] = true;
                self.guess(fetch, &host, now)
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
        let (host, headed) = self.open.remove(&id).unwrap_or_default();
        if self.guess == Assumption::Pessimistic {
            return Vec::new();
        }
        let mut rest = answer(now + self.median(&host));
        if headed {
            rest.remove(0);
        }
        rest
    }

    fn done(&mut self, _: usize, outcome: &FetchOutcome, now: Timestamp) {
        self.totals.record(outcome, now);
    }
}

/// A complete response.
fn answer(at: Timestamp) -> Vec<(Timestamp, ScheduledStep)> {
    vec![
        (
            at,
            ScheduledStep::Input(Input::Head(HeadSummary::status(200))),
        ),
        (at, ScheduledStep::Input(Input::End(Ok(())))),
    ]
}

/// The input of an attempt that begins now.
fn based(input: &Input, now: Timestamp) -> ScheduledStep {
    ScheduledStep::Input(match input {
        Input::Mark(phase, at) => Input::Mark(*phase, now + at.since_start()),
        other => other.clone(),
    })
}
