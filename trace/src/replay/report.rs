//! Result of a replay.

use std::fmt;
use std::time::Duration;

use fetch_proto::{EngineOutput, ShortDuration};
use serde::Serialize;

use crate::call::TraceAnswer;
use crate::reader::TraceEnd;

/// Whether a replay made the recorded decisions, and the size of the run.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReplayReport {
    /// Started attempts.
    pub attempts: u64,
    /// Calls to the engine.
    pub calls: u64,
    /// The first difference.
    pub difference: Option<ReplayDifference>,
    /// How the trace ends; `Complete` if a difference ended the replay first.
    pub ending: TraceEnd,
    /// Submitted fetches.
    pub fetches: u64,
    /// Ended fetches.
    pub outcomes: u64,
    /// The seed of the recorded run.
    pub seed: u64,
    /// Time from the creation of the engine to the last call.
    #[serde(serialize_with = "crate::serialize_seconds")]
    pub took: Duration,
    /// The version that wrote the trace.
    pub version: String,
}

/// The first difference between a replay and the recorded run.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReplayDifference {
    /// The last call up to which all answers agreed. The difference is after it, and at `entry` at the
    /// latest: every poll is compared, other answers only together with the next poll.
    pub agreed: u64,
    /// Time of the call, since the start of the engine.
    #[serde(serialize_with = "crate::serialize_seconds")]
    pub at: Duration,
    /// The call.
    pub call: String,
    /// Number of the call, from 1.
    pub entry: u64,
    /// Answer of the recorded engine.
    pub recorded: String,
    /// Answer of the replayed engine.
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

    /// Returns whether the replay made every decision of the trace again, bit for bit. The missing part
    /// of a trace that is cut off is not covered: see [`ending`](Self::ending).
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let file = fetch_trace::TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?.finish()?;
    /// assert!(fetch_trace::replay(&file[..])?.is_identical());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_identical(&self) -> bool {
        self.difference.is_none()
    }

    pub(super) fn count_answer(&mut self, answer: &TraceAnswer) {
        match answer {
            TraceAnswer::Output(EngineOutput::Done(..)) => self.outcomes += 1,
            TraceAnswer::Output(EngineOutput::Start(_)) => self.attempts += 1,
            TraceAnswer::Submitted(Ok(_)) => self.fetches += 1,
            _ => {}
        }
    }
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.difference {
            None => f.write_str("identical: the replay made every recorded decision\n")?,
            Some(difference) => writeln!(f, "different: {difference}")?,
        }
        write!(
            f,
            "calls: {}, fetches: {}, attempts: {}, outcomes: {}, duration: {}; the trace is {}, \
             written by version {}",
            self.calls,
            self.fetches,
            self.attempts,
            self.outcomes,
            ShortDuration(self.took),
            self.ending,
            self.version
        )
    }
}

impl fmt::Display for ReplayDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "entry {}, {} ({} after the start): recorded: {}; replayed: {}",
            self.entry,
            self.call,
            ShortDuration(self.at),
            self.recorded,
            self.replayed
        )?;
        if self.agreed + 1 < self.entry {
            write!(f, " (all agreed up to entry {})", self.agreed)?;
        }
        Ok(())
    }
}

/// Describes an output in one line.
pub(super) fn describe_output(output: &EngineOutput) -> String {
    match output {
        EngineOutput::Abort(id) => format!("abort of attempt {id}"),
        EngineOutput::Accept(id) => format!("accept of attempt {id}"),
        EngineOutput::AcquireToken(token) => {
            format!(
                "acquisition of token {} of profile {}",
                token.generation, token.profile
            )
        }
        EngineOutput::Discard(id) => format!("discard of attempt {id}"),
        EngineOutput::Done(id, outcome) => match outcome.result {
            Ok(finish) => format!("done: fetch {id}, status {}", finish.status),
            Err(error) => format!("done: fetch {id}, {error}"),
        },
        EngineOutput::Idle(idle) => {
            let wake = idle.wake.map(|wake| format!("{} ({})", wake.at, wake.why));
            let wake = wake.unwrap_or_else(|| "never".to_owned());
            format!(
                "idle: {} live, room for {}, wake {wake}",
                idle.live, idle.room
            )
        }
        EngineOutput::Start(attempt) => format!("start of attempt {}, {}", attempt.id, attempt.url),
        EngineOutput::Event(_, event) => format!("event: {event}"),
        EngineOutput::Transfer { id, to } => format!("transfer of fetch {id} to shard {to}"),
    }
}
