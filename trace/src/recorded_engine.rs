//! An engine with an optional recorder.

use std::fmt;
use std::io::{self, Write};
use std::ops::Deref;
use std::time::Duration;

use fetch_proto::{
    AttemptId, Engine, EngineConfig, EngineOutput, FetchId, FetchRequest, FetchTransfer, Input,
    InputEffect, RejectedRequest, RetryTokens, Shard, SharedRate, Timestamp, TokenFailure,
};

use crate::call::TraceCall;
use crate::recorder::TraceRecorder;

/// An [`Engine`] with an optional [`TraceRecorder`]. It has the engine's methods, so that a driver can
/// use it in place of the engine. Without a recorder, each call costs one more comparison.
///
/// After a write error, the recording ends, the error is reported once and the engine continues.
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
    on_error: Box<dyn FnOnce(io::Error) + Send>,
}

impl<W: Write> RecordedEngine<W> {
    /// Creates an engine without a recorder: see [`Engine::new`].
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

    /// Creates an engine whose calls are written to `writer`. On the first write error the recording
    /// ends and `on_error` is called.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, Timestamp};
    /// use fetch_trace::RecordedEngine;
    /// let on_error = |error| eprintln!("the recording ended: {error}");
    /// let engine = RecordedEngine::recording(EngineConfig::default(), 7, Timestamp::START, Vec::new(), on_error);
    /// assert_eq!(engine.stats().live, 0);
    /// ```
    pub fn recording(
        config: EngineConfig,
        seed: u64,
        now: Timestamp,
        writer: W,
        on_error: impl FnOnce(io::Error) + Send + 'static,
    ) -> Self {
        // A small number makes small ids, and there is no other engine.
        let number = 0;
        let recorder = TraceRecorder::with_engine_number(writer, &config, seed, now, number);
        let recording = match recorder {
            Ok(recorder) => Some(Box::new(ActiveRecording {
                recorder,
                on_error: Box::new(on_error),
            })),
            Err(error) => {
                on_error(error);
                None
            }
        };
        let mut engine = Engine::new(config, seed, now);
        engine.set_number(number);
        Self { engine, recording }
    }

    /// Ends the recording and returns its writer; `None` if the engine is not recorded or a write failed.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, Timestamp};
    /// use fetch_trace::RecordedEngine;
    /// assert_eq!(RecordedEngine::<Vec<u8>>::new(EngineConfig::default(), 7, Timestamp::START).finish(), None);
    /// ```
    pub fn finish(self) -> Option<W> {
        let ActiveRecording { recorder, on_error } = *self.recording?;
        recorder.finish().map_err(on_error).ok()
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
            recording.recorder.record_call(&TraceCall::Cancel(id), now);
        }
        let effect = self.engine.cancel(id, now);
        self.record(|recorder| recorder.record_handled(effect, now));
        effect
    }

    /// See [`Engine::close`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.close(Timestamp::START);
    /// ```
    pub fn close(&mut self, now: Timestamp) {
        self.record(|recorder| recorder.record_plain_call(&TraceCall::Close, now));
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
            recording.recorder.record_input(id, &input, now);
        }
        let effect = self.engine.handle(id, input, now);
        self.record(|recorder| recorder.record_handled(effect, now));
        effect
    }

    /// See [`Engine::pause_starts`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.pause_starts();
    /// ```
    pub fn pause_starts(&mut self) {
        self.record(|recorder| recorder.record_timeless_call(&TraceCall::PauseStarts));
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
            self.record(|recorder| recorder.record_plain_call(&call, now));
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
        self.record(|recorder| {
            recorder.record_timeless_call(&TraceCall::SetCrawlDelay(host.into(), delay))
        });
        self.engine.set_crawl_delay(host, delay);
    }

    /// See [`Engine::resume_starts`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.resume_starts();
    /// ```
    pub fn resume_starts(&mut self) {
        self.record(|recorder| recorder.record_timeless_call(&TraceCall::ResumeStarts));
        self.engine.resume_starts();
    }

    /// Returns the engine if it is not recorded. Calls that divide fetches and concurrency among
    /// several engines have no entry in a trace: a recorded engine must be the only one.
    fn unrecorded_engine(&mut self) -> Option<&mut Engine> {
        debug_assert!(
            self.recording.is_none(),
            "a recorded engine must be the only one"
        );
        self.recording.is_none().then_some(&mut self.engine)
    }

    /// See [`Engine::import_fetch`].
    ///
    /// # Errors
    ///
    /// If the engine is closed or recorded.
    ///
    /// ```
    /// # use fetch_proto::{FetchId, FetchTransfer, Timestamp};
    /// # use fetch_trace::RecordedEngine;
    /// fn continue_here(engine: &mut RecordedEngine, transfer: FetchTransfer, now: Timestamp) -> Vec<FetchId> {
    ///     engine.import_fetch(transfer, now).unwrap_or_default()
    /// }
    /// ```
    pub fn import_fetch(
        &mut self,
        transfer: FetchTransfer,
        now: Timestamp,
    ) -> Result<Vec<FetchId>, FetchTransfer> {
        match self.unrecorded_engine() {
            Some(engine) => engine.import_fetch(transfer, now),
            None => Err(transfer),
        }
    }

    /// See [`Engine::export_fetch`]. `None` if the engine is recorded.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, FetchId, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// assert!(engine.export_fetch(FetchId::STANDALONE, Timestamp::START).is_none());
    /// ```
    pub fn export_fetch(&mut self, id: FetchId, now: Timestamp) -> Option<FetchTransfer> {
        self.unrecorded_engine()?.export_fetch(id, now)
    }

    /// See [`Engine::set_shard`]. Has no effect on a recorded engine.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Shard, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.set_shard(Shard { index: 0, count: 2 });
    /// ```
    pub fn set_shard(&mut self, shard: Shard) {
        if let Some(engine) = self.unrecorded_engine() {
            engine.set_shard(shard);
        }
    }

    /// See [`Engine::set_concurrency_ceiling`]. Has no effect on a recorded engine.
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.set_concurrency_ceiling(5);
    /// ```
    pub fn set_concurrency_ceiling(&mut self, attempts: usize) {
        if let Some(engine) = self.unrecorded_engine() {
            engine.set_concurrency_ceiling(attempts);
        }
    }

    /// See [`Engine::token_acquired`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.token_acquired(0, None, Timestamp::START);
    /// ```
    pub fn token_acquired(&mut self, profile: u16, lifetime: Option<Duration>, now: Timestamp) {
        let call = TraceCall::TokenAcquired(profile, lifetime);
        self.record(|recorder| recorder.record_plain_call(&call, now));
        self.engine.token_acquired(profile, lifetime, now);
    }

    /// See [`Engine::token_failed`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp, TokenFailure};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.token_failed(0, TokenFailure::Refused, None, Timestamp::START);
    /// ```
    pub fn token_failed(
        &mut self,
        profile: u16,
        failure: TokenFailure,
        retry_after: Option<Duration>,
        now: Timestamp,
    ) {
        let call = TraceCall::TokenFailed(profile, failure, retry_after);
        self.record(|recorder| recorder.record_plain_call(&call, now));
        self.engine.token_failed(profile, failure, retry_after, now);
    }

    /// See [`Engine::share_limits`].
    ///
    /// ```
    /// # use fetch_proto::{EngineConfig, Timestamp};
    /// # let mut engine = <fetch_trace::RecordedEngine>::new(EngineConfig::default(), 7, Timestamp::START);
    /// engine.share_limits();
    /// ```
    pub fn share_limits(&mut self) {
        self.record(|recorder| recorder.record_timeless_call(&TraceCall::ShareLimits));
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
        self.record(|recorder| recorder.record_plain_call(&TraceCall::GrantStart, now));
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
        self.record(|recorder| recorder.record_plain_call(&TraceCall::DenyStart(rate, until), now));
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
            self.record(|recorder| recorder.record_timeless_call(&call));
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
        self.record(|recorder| recorder.record_timeless_call(&TraceCall::TakeRetryTokens));
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
        self.record(|recorder| recorder.record_poll(&output, now));
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
    /// See [`Engine::submit`].
    pub fn submit(
        &mut self,
        request: FetchRequest,
        now: Timestamp,
    ) -> Result<FetchId, RejectedRequest> {
        if let Some(recording) = &mut self.recording {
            recording.recorder.record_submit(&request, now);
        }
        let result = self.engine.submit(request, now);
        self.record(|recorder| recorder.record_submit_result(&result, now));
        result
    }

    fn record(&mut self, write: impl FnOnce(&mut TraceRecorder<W>) -> io::Result<()>) {
        if let Some(recording) = &mut self.recording
            && let Err(error) = write(&mut recording.recorder)
            && let Some(recording) = self.recording.take()
        {
            (recording.on_error)(error);
        }
    }
}

/// Access to the methods of the engine that do not change it.
impl<W: Write> Deref for RecordedEngine<W> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl<W: Write> fmt::Debug for RecordedEngine<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedEngine")
            .field("engine", &self.engine)
            .field("recording", &self.recording.is_some())
            .finish()
    }
}
