//! An engine that may be recorded.

use std::fmt;
use std::io::{self, Write};
use std::ops::Deref;
use std::time::Duration;

use fetch_proto::{
    AttemptId, Engine, EngineConfig, EngineOutput, FetchId, FetchRequest, FetchTransfer, Input,
    InputEffect, RejectedRequest, RetryTokens, Shard, SharedRate, Timestamp,
};

use crate::call::TraceCall;
use crate::recorder::TraceRecorder;

/// An [`Engine`] and, if wanted, the [`TraceRecorder`] of its calls: the same methods, so that a driver
/// holds it in the engine's place. Without a recorder each call costs one comparison more.
///
/// A recording that cannot be written ends and is reported once; the engine goes on.
///
/// ```
/// use fetch_proto::{EngineConfig, EngineOutput, FetchRequest, Timestamp};
/// use fetch_trace::{RecordedEngine, replay};
///
/// let now = Timestamp::START;
/// let mut engine = RecordedEngine::<Vec<u8>>::recording(EngineConfig::default(), 7, now, Vec::new(), |error| {
///     panic!("{error}")
/// });
/// engine.submit(FetchRequest::get("http://a.test/".parse()?), now)?;
/// assert!(matches!(engine.poll(now), EngineOutput::Start(_)));
/// let file = engine.finish().unwrap();
/// assert!(replay(&file[..])?.is_identical());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordedEngine<W: Write = Box<dyn Write + Send>> {
    engine: Engine,
    recording: Option<Box<ActiveRecording<W>>>,
}

struct ActiveRecording<W: Write> {
    recorder: TraceRecorder<W>,
    report: Box<dyn FnOnce(io::Error) + Send>,
}

impl<W: Write> RecordedEngine<W> {
    /// An engine that is not recorded: see [`Engine::new`].
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, Timestamp};
    /// use fetch_trace::RecordedEngine;
    /// let engine = <RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert_eq!(engine.stats().live, 0);
    /// ```
    #[must_use]
    pub fn new(config: EngineConfig, seed: u64, now: Timestamp) -> Self {
        Self {
            engine: Engine::new(config, seed, now),
            recording: None,
        }
    }

    /// An engine whose calls are written to `to`. If that fails, at once or later, the recording
    /// ends and `report` is called.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, Timestamp};
    /// use fetch_trace::RecordedEngine;
    /// let report = |error| eprintln!("the recording ended: {error}");
    /// let engine = RecordedEngine::recording(EngineConfig::default(), 7, Timestamp::START, Vec::new(), report);
    /// assert_eq!(engine.stats().live, 0);
    /// ```
    pub fn recording(
        config: EngineConfig,
        seed: u64,
        now: Timestamp,
        to: W,
        report: impl FnOnce(io::Error) + Send + 'static,
    ) -> Self {
        let recording = match TraceRecorder::new(to, &config, seed, now) {
            Ok(recorder) => Some(Box::new(ActiveRecording {
                recorder,
                report: Box::new(report),
            })),
            Err(error) => {
                report(error);
                None
            }
        };
        Self {
            engine: Engine::new(config, seed, now),
            recording,
        }
    }

    /// Ends the recording and gives its writer back; `None` if there is none, or if it failed.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, Timestamp};
    /// use fetch_trace::RecordedEngine;
    /// assert_eq!(RecordedEngine::<Vec<u8>>::new(EngineConfig::default(), 7, Timestamp::START).finish(), None);
    /// ```
    pub fn finish(self) -> Option<W> {
        let ActiveRecording { recorder, report } = *self.recording?;
        recorder.finish().map_err(report).ok()
    }

    /// See [`Engine::cancel`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, FetchId, InputEffect, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert_eq!(engine.cancel(FetchId::STANDALONE, Timestamp::START), InputEffect::Stale);
    /// ```
    pub fn cancel(&mut self, id: FetchId, now: Timestamp) -> InputEffect {
        if let Some(recording) = &mut self.recording {
            recording.recorder.call(&TraceCall::Cancel(id), now);
        }
        let handled = self.engine.cancel(id, now);
        self.note(|recorder| recorder.handled(handled, now));
        handled
    }

    /// See [`Engine::close`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.close(Timestamp::START);
    /// ```
    pub fn close(&mut self, now: Timestamp) {
        self.note(|recorder| recorder.plain(&TraceCall::Close, now));
        self.engine.close(now);
    }

    /// See [`Engine::handle`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, InputEffect, Input, EngineOutput, FetchRequest, Timestamp};
    /// # let now = Timestamp::START;
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, now);
    /// # engine.submit(FetchRequest::get("http://a.test/".parse()?), now).unwrap();
    /// let EngineOutput::Start(attempt) = engine.poll(now) else { unreachable!() };
    /// assert_eq!(engine.handle(attempt.id, Input::End(Ok(())), now), InputEffect::Applied);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn handle(&mut self, id: AttemptId, input: Input, now: Timestamp) -> InputEffect {
        if let Some(recording) = &mut self.recording {
            recording.recorder.handle(id, &input, now);
        }
        let handled = self.engine.handle(id, input, now);
        self.note(|recorder| recorder.handled(handled, now));
        handled
    }

    /// See [`Engine::hold`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.pause_starts();
    /// ```
    pub fn pause_starts(&mut self) {
        self.note(|recorder| recorder.timeless(&TraceCall::Hold));
        self.engine.pause_starts();
    }

    /// See [`Engine::set_config`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.set_config(EngineConfig::default().concurrency(7), Timestamp::START);
    /// ```
    pub fn set_config(&mut self, config: EngineConfig, now: Timestamp) {
        let boxed = Box::new(config);
        if self.recording.is_some() {
            let call = TraceCall::SetConfig(boxed.clone());
            self.note(|recorder| recorder.plain(&call, now));
        }
        self.engine.set_config(*boxed, now);
    }

    /// See [`Engine::set_crawl_delay`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.set_crawl_delay("http://a.test", Duration::from_secs(1));
    /// ```
    pub fn set_crawl_delay(&mut self, host: &str, delay: Duration) {
        self.note(|recorder| recorder.timeless(&TraceCall::SetCrawlDelay(host.into(), delay)));
        self.engine.set_crawl_delay(host, delay);
    }

    /// See [`Engine::release`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.resume_starts();
    /// ```
    pub fn resume_starts(&mut self) {
        self.note(|recorder| recorder.timeless(&TraceCall::Release));
        self.engine.resume_starts();
    }

    /// The engine, for what only one of several is asked: a recording is of the only one.
    fn unrecorded(&mut self) -> Option<&mut Engine> {
        debug_assert!(
            self.recording.is_none(),
            "a recording is of the only engine"
        );
        self.recording.is_none().then_some(&mut self.engine)
    }

    /// See [`Engine::adopt`].
    ///
    /// # Errors
    ///
    /// If the engine was closed, or is recorded: a recording is of the only engine.
    ///
    /// ```
    /// # use fetch_proto::{FetchId, FetchTransfer, Timestamp};
    /// # use fetch_trace::RecordedEngine;
    /// fn go_on(engine: &mut RecordedEngine, moved: FetchTransfer, now: Timestamp) -> Vec<FetchId> {
    ///     engine.import_fetch(moved, now).unwrap_or_default()
    /// }
    /// ```
    pub fn import_fetch(
        &mut self,
        moved: FetchTransfer,
        now: Timestamp,
    ) -> Result<Vec<FetchId>, FetchTransfer> {
        match self.unrecorded() {
            Some(engine) => engine.import_fetch(moved, now),
            None => Err(moved),
        }
    }

    /// See [`Engine::take`]. There is nothing to take from one that is recorded.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, FetchId, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert!(engine.export_fetch(FetchId::STANDALONE, Timestamp::START).is_none());
    /// ```
    pub fn export_fetch(&mut self, id: FetchId, now: Timestamp) -> Option<FetchTransfer> {
        self.unrecorded()?.export_fetch(id, now)
    }

    /// See [`Engine::set_shard`]. It is for one of several engines, of which none is recorded: while
    /// this one is, nothing changes.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Shard, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.set_shard(Shard { index: 0, count: 2 });
    /// ```
    pub fn set_shard(&mut self, part: Shard) {
        if let Some(engine) = self.unrecorded() {
            engine.set_shard(part);
        }
    }

    /// See [`Engine::set_concurrency_ceiling`]. It is for one of several engines, of which none is recorded:
    /// while this one is, nothing changes.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.set_concurrency_ceiling(5);
    /// ```
    pub fn set_concurrency_ceiling(&mut self, attempts: usize) {
        if let Some(engine) = self.unrecorded() {
            engine.set_concurrency_ceiling(attempts);
        }
    }

    /// See [`Engine::share_limits`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.share_limits();
    /// ```
    pub fn share_limits(&mut self) {
        self.note(|recorder| recorder.timeless(&TraceCall::ShareLimits));
        self.engine.share_limits();
    }

    /// See [`Engine::grant_start`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert!(!engine.grant_start(Timestamp::START), "nothing was asked for");
    /// ```
    pub fn grant_start(&mut self, now: Timestamp) -> bool {
        self.note(|recorder| recorder.plain(&TraceCall::GrantStart, now));
        self.engine.grant_start(now)
    }

    /// See [`Engine::deny_start`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, SharedRate, Timestamp};
    /// # let now = Timestamp::START;
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, now);
    /// engine.deny_start(SharedRate::AllHosts, now, now);
    /// ```
    pub fn deny_start(&mut self, rate: SharedRate, until: Timestamp, now: Timestamp) {
        self.note(|recorder| recorder.plain(&TraceCall::DenyStart(rate, until), now));
        self.engine.deny_start(rate, until, now);
    }

    /// See [`Engine::lend_retry_tokens`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, RetryBudget, RetryTokens, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.lend_retry_tokens(RetryTokens::new(RetryBudget::CAPACITY));
    /// ```
    pub fn lend_retry_tokens(&mut self, tokens: RetryTokens) {
        if self.recording.is_some() {
            let call = TraceCall::LendRetryTokens(Box::new(tokens.clone()));
            self.note(|recorder| recorder.timeless(&call));
        }
        self.engine.lend_retry_tokens(tokens);
    }

    /// See [`Engine::take_retry_tokens`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert_eq!(engine.take_retry_tokens(), None);
    /// ```
    pub fn take_retry_tokens(&mut self) -> Option<RetryTokens> {
        self.note(|recorder| recorder.timeless(&TraceCall::TakeRetryTokens));
        self.engine.take_retry_tokens()
    }

    /// See [`Engine::poll`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, EngineOutput, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert!(matches!(engine.poll(Timestamp::START), EngineOutput::Idle(_)));
    /// ```
    pub fn poll(&mut self, now: Timestamp) -> EngineOutput {
        let output = self.engine.poll(now);
        self.note(|recorder| recorder.poll(&output, now));
        output
    }

    /// See [`Engine::submit`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, FetchRequest, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.submit(FetchRequest::get("http://a.test/".parse()?), Timestamp::START).unwrap();
    /// # Ok::<(), url::ParseError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As there.
    pub fn submit(
        &mut self,
        request: FetchRequest,
        now: Timestamp,
    ) -> Result<FetchId, RejectedRequest> {
        if let Some(recording) = &mut self.recording {
            recording.recorder.submit(&request, now);
        }
        let result = self.engine.submit(request, now);
        self.note(|recorder| recorder.submitted(&result, now));
        result
    }

    fn note(&mut self, write: impl FnOnce(&mut TraceRecorder<W>) -> io::Result<()>) {
        if let Some(recording) = &mut self.recording
            && let Err(error) = write(&mut recording.recorder)
            && let Some(recording) = self.recording.take()
        {
            (recording.report)(error);
        }
    }
}

/// What only looks is the engine's own.
impl<W: Write> Deref for RecordedEngine<W> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl<W: Write> fmt::Debug for RecordedEngine<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded")
            .field("engine", &self.engine)
            .field("recording", &self.recording.is_some())
            .finish()
    }
}
