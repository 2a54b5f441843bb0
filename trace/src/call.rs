//! Calls of an engine, and their answers, as values.

use std::fmt;
use std::time::Duration;

use fetch_proto::{
    AttemptId, Engine, EngineConfig, EngineOutput, FetchId, FetchRequest, Input, InputEffect,
    RejectedRequest, RetryTokens, SharedRate, ShortDuration, Timestamp, TokenFailure, plural,
};
use serde::{Deserialize, Serialize};

/// A call that may change an [`Engine`].
///
/// To add a call, add a variant here, its line in [`TraceCall::apply`] and its method in
/// [`RecordedEngine`](crate::RecordedEngine). It is recorded in JSON. A separate kind of entry in
/// the file format is worthwhile only for calls that are made for each fetch.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TraceCall {
    /// [`Engine::cancel`].
    Cancel(FetchId),
    /// [`Engine::close`].
    Close,
    /// [`Engine::deny_start`].
    DenyStart(SharedRate, Timestamp),
    /// [`Engine::grant_start`].
    GrantStart,
    /// [`Engine::handle`].
    Handle(AttemptId, Input),
    /// [`Engine::lend_retry_tokens`].
    LendRetryTokens(Box<RetryTokens>),
    /// [`Engine::pause_starts`].
    #[serde(rename = "hold")]
    PauseStarts,
    /// [`Engine::poll`].
    Poll,
    /// [`Engine::resume_starts`].
    #[serde(rename = "release")]
    ResumeStarts,
    /// [`Engine::set_config`].
    SetConfig(Box<EngineConfig>),
    /// [`Engine::set_crawl_delay`].
    SetCrawlDelay(Box<str>, Duration),
    /// [`Engine::share_limits`].
    ShareLimits,
    /// [`Engine::submit`].
    Submit(FetchRequest),
    /// [`Engine::take_retry_tokens`].
    TakeRetryTokens,
    /// [`Engine::token_acquired`].
    TokenAcquired(u16, Option<Duration>),
    /// [`Engine::token_failed`].
    TokenFailed(u16, TokenFailure, Option<Duration>),
}

/// The return value of a [`TraceCall`].
#[derive(Debug)]
#[non_exhaustive]
pub enum TraceAnswer {
    /// Of `cancel` and `handle`.
    Handled(InputEffect),
    /// Of `close`, `pause_starts`, `resume_starts`, the settings, and the calls about shared limits: no
    /// value, or one that shows in the next outputs.
    Nothing,
    /// Of `poll`.
    Output(EngineOutput),
    /// Of `submit`.
    Submitted(Result<FetchId, RejectedRequest>),
}

impl TraceCall {
    /// Makes the call on `engine`.
    ///
    /// ```
    /// use fetch_proto::{EngineConfig, Engine, EngineOutput, Timestamp};
    /// use fetch_trace::{TraceAnswer, TraceCall};
    ///
    /// let mut engine = Engine::new(EngineConfig::default(), 7, Timestamp::START);
    /// let answer = TraceCall::Poll.apply(&mut engine, Timestamp::START);
    /// assert!(matches!(answer, TraceAnswer::Output(EngineOutput::Idle(_))));
    /// ```
    pub fn apply(self, engine: &mut Engine, now: Timestamp) -> TraceAnswer {
        match self {
            Self::Cancel(id) => return TraceAnswer::Handled(engine.cancel(id, now)),
            Self::Close => engine.close(now),
            Self::DenyStart(rate, until) => engine.deny_start(rate, until, now),
            Self::GrantStart => _ = engine.grant_start(now),
            Self::Handle(id, input) => return TraceAnswer::Handled(engine.handle(id, input, now)),
            Self::LendRetryTokens(tokens) => engine.lend_retry_tokens(*tokens),
            Self::PauseStarts => engine.pause_starts(),
            Self::Poll => return TraceAnswer::Output(engine.poll(now)),
            Self::ResumeStarts => engine.resume_starts(),
            Self::SetConfig(config) => engine.set_config(*config, now),
            Self::SetCrawlDelay(host, delay) => engine.set_crawl_delay(&host, delay),
            Self::ShareLimits => engine.share_limits(),
            Self::Submit(request) => return TraceAnswer::Submitted(engine.submit(request, now)),
            Self::TakeRetryTokens => _ = engine.take_retry_tokens(),
            Self::TokenAcquired(profile, life) => engine.token_acquired(profile, life, now),
            Self::TokenFailed(profile, failure, pause) => {
                engine.token_failed(profile, failure, pause, now);
            }
        }
        TraceAnswer::Nothing
    }
}

impl fmt::Display for TraceCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancel(id) => write!(f, "cancel of fetch {id}"),
            Self::Close => f.write_str("close"),
            Self::DenyStart(rate, until) => {
                let rate = match rate {
                    SharedRate::AllHosts => "over all hosts",
                    SharedRate::Rule => "of its rule",
                };
                let until = ShortDuration(until.since_start());
                write!(
                    f,
                    "denial of a start until {until} after the start, by the rate {rate}"
                )
            }
            Self::GrantStart => f.write_str("grant of a start"),
            Self::Handle(id, input) => write!(f, "{} of attempt {id}", input_name(input)),
            Self::LendRetryTokens(_) => f.write_str("loan of retry tokens"),
            Self::PauseStarts => f.write_str("pause of starts"),
            Self::Poll => f.write_str("poll"),
            Self::ResumeStarts => f.write_str("resumption of starts"),
            Self::SetConfig(_) => f.write_str("a new configuration"),
            Self::SetCrawlDelay(host, delay) => {
                write!(f, "crawl delay of {} at {host}", ShortDuration(*delay))
            }
            Self::ShareLimits => f.write_str("sharing of limits"),
            Self::Submit(request) => write!(f, "submit of {}", request.url),
            Self::TakeRetryTokens => f.write_str("return of retry tokens"),
            Self::TokenAcquired(profile, _) => write!(f, "token of profile {profile}"),
            Self::TokenFailed(profile, failure, _) => {
                write!(f, "no token of profile {profile}: {failure}")
            }
        }
    }
}

fn input_name(input: &Input) -> String {
    match input {
        Input::BodyUnused => "unused request body".to_owned(),
        Input::Body { bytes } => format!("{} of the body", plural(*bytes, "byte", "bytes")),
        Input::End(Ok(())) => "end".to_owned(),
        Input::End(Err(failure)) => format!("failure ({failure})"),
        Input::Head(head) => format!("head with status {}", head.status),
        Input::HookEnded => "end of a hook".to_owned(),
        Input::HookStarted(_) => "start of a hook".to_owned(),
        Input::Mark(phase, _) => format!("mark: {phase}"),
        Input::Paused => "pause".to_owned(),
        Input::Resumed => "resumption".to_owned(),
        _ => "input".to_owned(),
    }
}
