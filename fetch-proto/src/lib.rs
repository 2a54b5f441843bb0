//! The pure core of fetch-all: it decides admission, retries, backoff, timeouts, redirects and
//! limits, and records timings, without doing IO or reading a clock.
//!
//! - [`Fetch`] is one fetch's life; [`Engine`] runs many through a bounded window.
//! - Time is an argument ([`Timestamp`]), randomness is a seed, what happened is an [`Input`], what to
//!   do is an [`Output`]: plain data, so that a run can be recorded and replayed.
//! - [`Policy`] says what a fetch may do; [`PolicyRules`] choose one by URL.
//! - [`CircuitBreaker`], [`RetryTokens`] and [`RequestThrottler`] spare hosts that fail; each can be used alone.
//! - The feature `testing` brings a fake clock, a scripted server and a simulator.
//!
//! A unit test of a retry policy needs no runtime, no socket and no sleep:
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

extern crate alloc;
#[cfg(test)]
extern crate std;

mod engine;
mod fetch;
mod guards;
mod inline_vec;
mod model;
mod policy;
mod random;
mod rules;
mod stats;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use engine::{
    Checkpoint, Config, Engine, HostStats, Idle, Moved, Output, Part, Refusal, Rejected, Shed,
    Stats,
};
pub use fetch::request::{BodyDelivery, FetchRequest, RequestBodyKind};
pub use fetch::{Fetch, Step};
pub use guards::balance::{
    BalanceStrategy, BalancedTarget, EndpointResult, LoadBalancer, OutlierDetection,
    TargetEndpoint, TargetError,
};
pub use guards::breaker::{
    Breaker, BreakerCall, BreakerMode, CallCounts, CallNotPermitted, CallResult, CircuitBreaker,
    CircuitState, OnOpen,
};
pub use guards::budget::{RetryBudget, RetryCost, RetryKind, RetryTokens};
pub use guards::hedge::{Hedge, HedgeDelay};
pub use guards::latency::RecentLatency;
pub use guards::limiter::{AdaptiveConcurrency, Aimd, ConcurrencyLimiter, Gradient2, Vegas};
pub use guards::rate::{Rate, RateError, RateLimiter};
pub use guards::stall::{StallGuard, ThroughputMeter};
pub use guards::throttle::{RequestThrottler, Throttle};
pub use model::attempt::{Attempt, HeadSummary, Input, InputEffect};
pub use model::event::{CircuitTransition, DecisionEvent, RetryDelaySource, TripReason};
pub use model::failure::{FailureCause, FailureKind, RedirectError, TimeLimit};
pub use model::fault::InjectedFault;
pub use model::id::{AttemptId, FetchId};
pub use model::method::{InvalidMethod, Method};
pub use model::outcome::{
    AttemptEnd, AttemptReport, CompleteResponse, FetchError, FetchOutcome, GiveUpReason,
};
pub use model::time::Timestamp;
pub use model::timings::{AttemptPhase, AttemptTimings, FetchTimings};
pub use model::wake::{NextWake, WakeReason};
pub use policy::{
    Backoff, ChaosPolicy, Fallback, Jitter, OverCap, Policy, RedirectPolicy, RetryAfterPolicy,
    RetryClass, RetryClasses, StatusSet, Timeouts,
};
pub use rules::{PolicyRules, PolicyRulesBuilder, RuleError, RuleErrorKind, RulePattern};
pub use stats::batch::{BatchStats, FetchSample, SampleEnd};
pub use stats::histogram::{DurationHistogram, HistogramSummary};
