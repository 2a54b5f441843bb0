//! The decisions of a bulk HTTP client as a state machine: admission, retries, backoff, timeouts,
//! redirects, rate limits and circuit breakers, without IO and without a clock.
//!
//! # Where to start
//!
//! | to … | start at |
//! |---|---|
//! | test a retry policy without a runtime, a socket or a sleep | `testing::FetchScript`, [`Policy`] |
//! | simulate a whole run in virtual time | `testing::Simulation` |
//! | drive an HTTP client | [`Engine`], [`EngineConfig`], and the loop below |
//! | drive one fetch without queues and host limits | [`Fetch`] |
//! | choose a policy by URL | [`PolicyRules`], [`RulePattern`] |
//! | use one mechanism alone | [`Backoff`], [`CircuitBreaker`], [`ConcurrencyLimiter`], [`LoadBalancer`], [`RateLimiter`], [`RequestThrottler`], [`RetryTokens`] |
//! | cache responses in a client of your own | the module `cache`, with the feature of that name |
//! | divide a list among many workers, with exact limits | the module [`lease`] |
//! | authenticate requests in a client of your own | [`TokenGrant`], [`DigestSession`], [`SigV4Key`], [`AuthChallenge`] |
//!
//! The module `testing` needs the feature of that name; the feature `serde` makes plain data
//! serialisable.
//!
//! # Inputs and outputs
//!
//! A *driver* owns the sockets and the clock. It reports to the engine by four calls:
//! [`Engine::submit`] (a URL to fetch), [`Engine::handle`] (an [`Input`] about an attempt: response
//! head, body bytes, end), [`Engine::cancel`] and [`Engine::close`]. It asks for work by
//! [`Engine::poll`], which returns one [`EngineOutput`] at a time:
//!
//! | [`EngineOutput`] | the driver |
//! |---|---|
//! | `Start` | sends the request, reports inputs for it, and exactly one [`Input::End`] |
//! | `Accept` | delivers the body of that response to the caller |
//! | `Discard` | reads that body and drops it, so that the connection can be reused |
//! | `Abort` | drops the attempt; inputs about it are [`InputEffect::Stale`] from now on |
//! | `Done` | delivers the [`FetchOutcome`]: exactly one per submitted URL |
//! | `Event` | logs a decision and its reason, if events are enabled |
//! | `Idle` | submits as many URLs as there is room for, then waits for the network or until [`IdleState::wake`] |
//!
//! Only a drained engine returns `Idle`, and only its [`IdleState`] has the next deadline, so no
//! timer can be forgotten.
//!
//! # The driving loop
//!
//! The network of this driver answers every request with 200, a second later.
//!
//! ```
//! use core::time::Duration;
//! use fetch_proto::{Engine, EngineConfig, FetchRequest, HeadSummary, Input, EngineOutput, Timestamp};
//!
//! let mut urls = ["http://a.test/1", "http://a.test/2", "http://b.test/"].into_iter();
//! let mut now = Timestamp::START;
//! let mut engine = Engine::new(EngineConfig::default().per_host(1), 7, now);
//! let mut in_flight = Vec::new();
//! let mut finished = Vec::new();
//! loop {
//!     match engine.poll(now) {
//!         EngineOutput::Start(attempt) => in_flight.push((now + Duration::from_secs(1), attempt.id)),
//!         EngineOutput::Abort(id) => in_flight.retain(|(_, other)| *other != id),
//!         EngineOutput::Accept(_) | EngineOutput::Discard(_) | EngineOutput::Event(..) => {}
//!         EngineOutput::Done(_, outcome) => finished.push((now.to_string(), outcome.url.to_string())),
//!         EngineOutput::Idle(idle) => {
//!             let next: Vec<_> = urls.by_ref().take(idle.room).collect();
//!             if idle.live == 0 && next.is_empty() {
//!                 break;
//!             }
//!             if !next.is_empty() {
//!                 for url in next {
//!                     engine.submit(FetchRequest::get(url.parse()?), now)?;
//!                 }
//!                 continue; // something new to poll for
//!             }
//!             // Sleep until the network or the engine has something to do.
//!             let arrival = in_flight.iter().map(|(at, _)| *at).min();
//!             let wake = idle.wake.map(|wake| wake.at);
//!             now = arrival.into_iter().chain(wake).min().expect("every wait has a limit");
//!             for (_, id) in in_flight.extract_if(.., |(at, _)| *at <= now) {
//!                 engine.handle(id, Input::Head(HeadSummary::status(200)), now);
//!                 engine.handle(id, Input::End(Ok(())), now);
//!             }
//!         }
//!         other => unreachable!("not configured: {other:?}"),
//!     }
//! }
//! let expected = [("1s", "http://a.test/1"), ("1s", "http://b.test/"), ("2s", "http://a.test/2")];
//! assert!(finished.iter().map(|(at, url)| (&**at, &**url)).eq(expected));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Determinism
//!
//! Time is an argument ([`Timestamp`]) and randomness is a seed. The same configuration, seed and
//! inputs give the same outputs on every platform: jitter is a hash of seed, fetch and attempt,
//! arithmetic is integer or fixed-point, and no decision depends on the order of a hash map. A run
//! can therefore be recorded and replayed, and a policy tested in virtual time:
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! use fetch_proto::testing::{FetchScript, status};
//! use fetch_proto::{Backoff, Policy};
//!
//! let policy = Policy::default().backoff(Backoff::default().jitter(None));
//! let run = FetchScript::new(policy).answers([status(503), status(503), status(200)]).run();
//! assert_eq!(run.to_string(), "0s start · 0s 503 · 1s start · 1s 503 · 3s start · 3s 200 done");
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod auth;
#[cfg(feature = "cache")]
pub mod cache;
mod challenge;
mod engine;
mod fetch;
mod guards;
mod inline_vec;
pub mod lease;
mod model;
mod policy;
mod random;
mod rules;
mod secrets;
mod stats;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use auth::grant::{TokenAnswer, TokenGrant, TokenPolicy, TokenRejection};
pub use auth::profile::AuthProfile;
pub use auth::secret_source::{InvalidSecretSource, SecretSource};
pub use auth::sigv4::{Sha256, SigV4Key, SigV4Request};
pub use auth::token_url::{InvalidTokenUrl, TokenUrl};
pub use challenge::answer::{ChallengeAnswer, LoginSchemes, ServerAuthentication};
pub use challenge::digest::{
    DigestAnswer, DigestChallenge, DigestHash, DigestRequest, DigestSession, HexHash,
};
pub use challenge::parse::AuthChallenge;
pub use engine::{
    Engine, EngineCheckpoint, EngineConfig, EngineOutput, EngineSnapshot, EngineStats,
    FetchTransfer, HostSnapshot, HostStats, IdleState, RejectReason, RejectedRequest, Shard,
    SharedRate, StartRequest, WaitReason, WaitingHost,
};
pub use fetch::request::{BodyDelivery, FetchRequest, RequestBodyKind};
pub use fetch::{Fetch, FetchStep};
pub use guards::balance::{
    BalanceStrategy, BalancedTarget, EndpointResult, LoadBalancer, OutlierDetection,
    TargetEndpoint, TargetError,
};
pub use guards::breaker::{
    Breaker, BreakerCall, BreakerMode, CallCounts, CallNotPermitted, CallResult, CircuitBreaker,
    CircuitState, OnOpen,
};
pub use guards::budget::{RetryBudget, RetryCost, RetryKind, RetryTokens};
pub use guards::health::HostEvidence;
pub use guards::hedge::{Hedge, HedgeDelay};
pub use guards::latency::RecentLatency;
pub use guards::limiter::{AdaptiveConcurrency, Aimd, ConcurrencyLimiter, Gradient2, Vegas};
pub use guards::outage::OutageWait;
pub use guards::pacing::Pacing;
pub use guards::rate::{Rate, RateError, RateLimiter};
pub use guards::shedding::LoadShedding;
pub use guards::stall::{StallGuard, ThroughputMeter};
pub use guards::throttle::{RequestThrottler, Throttle};
pub use model::attempt::{Attempt, HeadSummary, HookStage, Input, InputEffect};
pub use model::credentials::UrlCredentials;
pub use model::download::ActiveDownload;
pub use model::event::{CircuitTransition, DecisionEvent, RetryDelaySource, TripReason};
pub use model::failure::{FailureCause, FailureKind, RedirectError, TimeLimit};
pub use model::fault::InjectedFault;
pub use model::id::{AttemptId, FetchId};
pub use model::method::{InvalidMethod, Method};
pub use model::outcome::{
    AttemptEnd, AttemptReport, CompleteResponse, FetchError, FetchOutcome, GiveUpReason,
};
pub use model::resume::{ContentRange, RepresentationSummary, ResumePoint, Validator};
pub use model::text::{Quoted, ShortDuration, plural};
pub use model::time::Timestamp;
pub use model::timings::{AttemptPhase, AttemptTimings, FetchTimings};
pub use model::token::{TokenFailure, TokenUse};
pub use model::url_parts::{url_host, url_origin};
pub use model::verdict::ResponseVerdict;
pub use model::wake::{NextWake, WakeReason};
pub use policy::{
    AuthChoice, Backoff, BackoffPatch, ChaosPolicy, Fallback, FallbackPatch, HedgeDelayPatch,
    HedgePatch, Jitter, KeptPostsPatch, OverCap, Policy, PolicyPatch, RedirectPatch,
    RedirectPolicy, RetryAfterPatch, RetryAfterPolicy, RetryClass, RetryClasses, StallPatch,
    StatusSet, Timeouts, TimeoutsPatch, is_sent_to_other_origins, location_text,
};
pub use rules::{
    PolicyLayer, PolicyRules, PolicyRulesBuilder, RuleError, RuleErrorKind, RulePattern,
};
pub use secrets::{
    has_secret, is_secret_field, is_secret_parameter, redact_secrets, replace_secrets,
};
pub use stats::batch::{BatchStats, FetchSample, SampleEnd};
pub use stats::histogram::{DurationHistogram, HistogramSummary};
pub use url;

/// The code of the README, compiled.
#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
