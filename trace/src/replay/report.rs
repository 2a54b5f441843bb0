//! What a replay came to.

use std::fmt;
use std::time::Duration;

use fetch_proto::Output;
use serde::Serialize;

use crate::call::TraceAnswer;
use crate::reader::TraceEnd;

/// Whether a replay decided as the recorded run did, and how much of it there was.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReplayReport {
    /// Attempts that were started.
    pub attempts: u64,
    /// Calls of the engine.
    pub calls: u64,
    /// The first difference.
    pub difference: Option<ReplayDifference>,
    /// How the trace ends; `complete` where a difference ended the replay first.
    pub ending: TraceEnd,
    /// Fetches that were submitted.
    pub fetches: u64,
    /// Fetches that ended.
    pub outcomes: u64,
    /// The seed of the recorded run.
    pub seed: u64,
    /// From the engine's making to the last call.
    #[serde(serialize_with = "crate::serialize_seconds")]
    pub took: Duration,
    /// The version that wrote the trace.
    pub version: String,
}

/// Where a replay first decided otherwise.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReplayDifference {
    /// The last entry up to which all answers agreed: the difference is after it, and at `entry` at
    /// the latest. All polls are compared, other answers with the poll that follows.
    pub agreed: u64,
    /// When, since the start.
    #[serde(serialize_with = "crate::serialize_seconds")]
    pub at: Duration,
    /// The call.
    pub call: String,
    /// Its number, from 1.
    pub entry: u64,
    /// What the recorded engine said.
    pub recorded: String,
    /// What the replayed one says.
    pub replayed: String,
}

impl ReplayReport {
    pub(super) fn new(version: String, seed: u64) -> Self {
        Self {
            attempts: 0,
            calls: 0,
            difference: None,
            ending: TraceEnd::Complete,
            fetches: 0,
            outcomes: 0,
            seed,
            took: Duration::ZERO,
            version,
        }
    }

    /// Whether every decision in the trace came out again, bit for bit. Of a trace that was cut that
    /// says nothing about what is missing: see [`ending`](Self::ending).
    ///
    /// ```
    /// # use fetch_proto::{Config, Timestamp};
    /// # let file = fetch_trace::TraceRecorder::new(Vec::new(), &Config::default(), 7, Timestamp::START)?.finish()?;
    /// assert!(fetch_trace::replay(&file[..])?.is_identical());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_identical(&self) -> bool {
        self.difference.is_none()
    }

    pub(super) fn count_answer(&mut self, answer: &TraceAnswer) {
        match answer {
            TraceAnswer::Output(Output::Done(..)) => self.outcomes += 1,
            TraceAnswer::Output(Output::Start(_)) => self.attempts += 1,
            TraceAnswer::Submitted(Ok(_)) => self.fetches += 1,
            _ => {}
        }
    }
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.difference {
            None => f.write_str("identical: every decision came out again\n")?,
            Some(difference) => writeln!(f, "different: {difference}")?,
        }
        write!(
            f,
            "{} calls, {} fetches, {} attempts, {} outcomes in {:?}; the trace is {}, written by \
             version {}",
            self.calls,
            self.fetches,
            self.attempts,
            self.outcomes,
            self.took,
            self.ending,
            self.version
        )
    }
}

impl fmt::Display for ReplayDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "entry {}, {} ({:?} after the start): recorded: {}; replayed: {}",
            self.entry, self.call, self.at, self.recorded, self.replayed
        )?;
        if self.agreed + 1 < self.entry {
            write!(f, " (all agreed up to entry {})", self.agreed)?;
        }
        Ok(())
    }
}

/// An output in a few words.
pub(super) fn describe_output(output: &Output) -> String {
    match output {
        Output::Abort(id) => format!("abort of attempt {id}"),
        Output::Accept(id) => format!("accept of attempt {id}"),
        Output::Discard(id) => format!("discard of attempt {id}"),
        Output::Done(id, outcome) => match outcome.result {
            Ok(finish) => format!("done: fetch {id}, status {}", finish.status),
            Err(error) => format!("done: fetch {id}, {error}"),
        },
        Output::Idle(idle) => {
            let wake = idle.wake.map(|wake| format!("{} ({})", wake.at, wake.why));
            let wake = wake.unwrap_or_else(|| "never".to_owned());
            format!(
                "idle: {} live, room for {}, wake {wake}",
                idle.live, idle.room
            )
        }
        Output::Start(attempt) => format!("start of attempt {}, {}", attempt.id, attempt.url),
        other => format!("{other:?}"),
    }
}
