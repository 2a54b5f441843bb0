//! Replays a trace: makes the recorded calls again and compares the answers.

mod report;

use std::io::Read;

use fetch_proto::{DecisionEvent, Engine, EngineConfig, EngineOutput, FetchId, Timestamp};

use crate::call::{TraceAnswer, TraceCall};
use crate::error::TraceError;
use crate::format::digest::AnswerDigest;
use crate::reader::{ExpectedOutput, RecordedCall, TraceEnd, TraceItem, TraceReader};
use crate::recorder;

pub use report::{ReplayDifference, ReplayReport};

/// Replays a trace call by call.
///
/// ```
/// use fetch_proto::{EngineConfig, FetchRequest, Timestamp};
/// use fetch_trace::{TraceCall, RecordedEngine, TraceReplay};
///
/// let now = Timestamp::START;
/// let mut engine = RecordedEngine::recording(EngineConfig::default(), 7, now, Vec::new(), drop);
/// engine.submit(FetchRequest::get("http://a.test/".parse()?), now)?;
/// let file = engine.finish().unwrap();
///
/// let mut replay = TraceReplay::open(&file[..])?;
/// let step = replay.step()?.expect("one call was recorded");
/// assert!(matches!(step.call, TraceCall::Submit(_)));
/// assert_eq!(replay.engine().stats().live, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TraceReplay<R> {
    /// Number of the last call whose digest agreed.
    agreed: u64,
    digest: AnswerDigest,
    engine: Engine,
    ended: bool,
    /// Whether the engine reports events, whatever the recorded settings say.
    events: bool,
    engine_number: u16,
    reader: TraceReader<R>,
    recorded_config: EngineConfig,
    report: ReplayReport,
    start: Timestamp,
}

/// One replayed call and its answer.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReplayStep {
    /// The answer.
    pub answer: TraceAnswer,
    /// The call.
    pub call: TraceCall,
    /// Number of the call in the trace, from 1.
    pub entry: u64,
    /// Events up to the answer. Empty without [`TraceReplay::with_events`], unless the trace has events.
    pub events: Vec<(Option<FetchId>, DecisionEvent)>,
    /// Time of the call.
    pub now: Timestamp,
    /// Whether the policy of the submitted request was selected by a secret that is not in the trace.
    pub pinned: bool,
}

/// Replays a whole trace and reports whether every decision was the same.
///
/// ```
/// use fetch_proto::{EngineConfig, Timestamp};
/// use fetch_trace::{TraceRecorder, replay};
///
/// let file = TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?.finish()?;
/// assert!(replay(&file[..])?.is_identical());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If `from` is not a trace or cannot be read.
pub fn replay(from: impl Read) -> Result<ReplayReport, TraceError> {
    TraceReplay::open(from)?.run(|_, _| {})
}

fn numbered_engine(config: EngineConfig, seed: u64, start: Timestamp, number: u16) -> Engine {
    let mut engine = Engine::new(config, seed, start);
    engine.set_number(number);
    engine
}

impl<R: Read> TraceReplay<R> {
    /// Reads the head of a trace and creates its engine.
    ///
    /// ```
    /// assert!(fetch_trace::TraceReplay::open(&b"no trace"[..]).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// If `from` is not a trace or cannot be read.
    pub fn open(from: R) -> Result<Self, TraceError> {
        let (reader, head) = TraceReader::open(from)?;
        let start = Timestamp::from_nanos(head.start);
        Ok(Self {
            agreed: 0,
            digest: AnswerDigest::default(),
            ended: false,
            events: false,
            engine: numbered_engine(head.config.clone(), head.seed, start, head.engine_number),
            engine_number: head.engine_number,
            reader,
            recorded_config: head.config,
            report: ReplayReport::new(head.version, head.seed),
            start,
        })
    }

    /// Replaces settings and seed before the first call, to find the first decision that depends on them.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # use fetch_trace::{TraceRecorder, TraceReplay};
    /// # let file = TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?.finish()?;
    /// let replay = TraceReplay::open(&file[..])?.with_config(EngineConfig::default().concurrency(1), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_config(mut self, config: EngineConfig, seed: u64) -> Self {
        self.engine = numbered_engine(config, seed, self.start, self.engine_number);
        self
    }

    /// Enables events: see [`ReplayStep::events`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # use fetch_trace::{TraceRecorder, TraceReplay};
    /// # let file = TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?.finish()?;
    /// let replay = TraceReplay::open(&file[..])?.with_events();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_events(mut self) -> Self {
        self.events = true;
        let (config, seed) = (self.recorded_config.clone().events(true), self.report.seed);
        self.with_config(config, seed)
    }

    /// The recorded settings.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # use fetch_trace::{TraceRecorder, TraceReplay};
    /// let config = EngineConfig::default().concurrency(7);
    /// let file = TraceRecorder::new(Vec::new(), &config, 7, Timestamp::START)?.finish()?;
    /// assert_eq!(*TraceReplay::open(&file[..])?.config(), config);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.recorded_config
    }

    /// The recorded seed.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # use fetch_trace::{TraceRecorder, TraceReplay};
    /// # let file = TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?.finish()?;
    /// assert_eq!(TraceReplay::open(&file[..])?.seed(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.report.seed
    }

    /// Time of the engine's creation, on the driver's clock.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # use fetch_trace::{TraceRecorder, TraceReplay};
    /// # let file = TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?.finish()?;
    /// assert_eq!(TraceReplay::open(&file[..])?.start(), Timestamp::START);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The engine after the last step.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # use fetch_trace::{TraceRecorder, TraceReplay};
    /// # let file = TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?.finish()?;
    /// assert_eq!(TraceReplay::open(&file[..])?.engine().stats().submitted, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The report up to the last step.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # use fetch_trace::{TraceRecorder, TraceReplay};
    /// # let file = TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?.finish()?;
    /// assert_eq!(TraceReplay::open(&file[..])?.report().calls, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn report(&self) -> &ReplayReport {
        &self.report
    }

    /// Makes the next call. `None` at the end of the trace and after the first difference.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # use fetch_trace::{TraceRecorder, TraceReplay};
    /// # let file = TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?.finish()?;
    /// assert!(TraceReplay::open(&file[..])?.step()?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If reading fails.
    pub fn step(&mut self) -> Result<Option<ReplayStep>, TraceError> {
        while !self.ended && self.report.difference.is_none() {
            match self.reader.next_item()? {
                TraceItem::Call(record) => return Ok(Some(self.apply_call(*record))),
                TraceItem::Digest(digest) if digest == self.digest.sum() => {
                    self.agreed = self.report.calls;
                }
                TraceItem::Digest(_) => self.set_difference(
                    "end of a frame".to_owned(),
                    "a different digest".to_owned(),
                    format!("digest {:016x}", self.digest.sum()),
                ),
                TraceItem::End(ending) => {
                    self.ended = true;
                    self.report.ending = ending;
                }
            }
        }
        Ok(None)
    }

    /// Makes all calls and passes each step to `on_step`.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # use fetch_trace::{TraceRecorder, TraceReplay};
    /// # let file = TraceRecorder::new(Vec::new(), &EngineConfig::default(), 7, Timestamp::START)?.finish()?;
    /// let report = TraceReplay::open(&file[..])?.run(|step, engine| {
    ///     println!("{} {} {} live", step.now, step.call, engine.stats().live);
    /// })?;
    /// assert!(report.is_identical());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If reading fails.
    pub fn run(
        mut self,
        mut on_step: impl FnMut(&ReplayStep, &Engine),
    ) -> Result<ReplayReport, TraceError> {
        while let Some(step) = self.step()? {
            on_step(&step, &self.engine);
        }
        Ok(self.report)
    }

    fn apply_call(&mut self, record: RecordedCall) -> ReplayStep {
        let RecordedCall {
            call,
            expected,
            now,
            pinned,
        } = record;
        self.report.calls += 1;
        self.report.took = now.saturating_since(self.start).max(self.report.took);
        let wants_event = expected.is_some_and(|expected| expected.kind == "event");
        let mut events = Vec::new();
        let answer = loop {
            let applied = match call.clone() {
                TraceCall::SetConfig(config) if self.events => {
                    TraceCall::SetConfig(Box::new(config.events(true)))
                }
                call => call,
            };
            match applied.apply(&mut self.engine, now) {
                TraceAnswer::Output(EngineOutput::Event(id, event)) if !wants_event => {
                    events.push((id, event));
                }
                answer => break answer,
            }
        };
        self.compare_answer(&call, &answer, expected, now);
        if let TraceAnswer::Output(EngineOutput::Event(id, event)) = &answer {
            events.push((*id, event.clone()));
        }
        ReplayStep {
            answer,
            call,
            entry: self.report.calls,
            events,
            now,
            pinned,
        }
    }

    fn compare_answer(
        &mut self,
        call: &TraceCall,
        answer: &TraceAnswer,
        expected: Option<ExpectedOutput>,
        now: Timestamp,
    ) {
        match answer {
            TraceAnswer::Handled(handled) => self.digest.add_handled(*handled),
            TraceAnswer::Nothing => {}
            TraceAnswer::Output(output) => self.digest.add_output(output, None),
            TraceAnswer::Submitted(result) => self.digest.add_submitted(result),
        }
        self.report.count_answer(answer);
        let (Some(expected), TraceAnswer::Output(output)) = (expected, answer) else {
            return;
        };
        let call = || format!("{call} at {now}");
        if expected.kind != recorder::output_kind(output) {
            self.set_difference(
                call(),
                expected.kind.to_owned(),
                report::describe_output(output),
            );
        } else if expected
            .digest_byte
            .is_some_and(|byte| byte != self.digest.low_byte())
        {
            let recorded = format!(
                "a different {}, or a different answer before it",
                expected.kind
            );
            self.set_difference(call(), recorded, report::describe_output(output));
        } else if expected.digest_byte.is_some() {
            self.agreed = self.report.calls;
        }
    }

    fn set_difference(&mut self, call: String, recorded: String, replayed: String) {
        self.report.difference = Some(ReplayDifference {
            agreed: self.agreed,
            at: self.report.took,
            call,
            entry: self.report.calls,
            recorded,
            replayed,
        });
        self.report.ending = TraceEnd::Complete;
    }
}
