//! The pure core of fetch-all: it decides admission, retries, backoff, timeouts, redirects and
//! limits, and records timings, without doing IO or reading a clock.
//!
//! - [`Fetch`] is one fetch's life; [`Engine`] runs many through a bounded window.
//! - Time is an argument ([`Timestamp`]), randomness is a seed, what happened is an [`Input`], what to
//!   do is an [`Output`]: plain data, so that a run can be recorded and replayed.
//! - [`Policy`] says what a fetch may do; [`Rules`] choose one by URL.
//! - [`Circuit`], [`Purse`] and [`Throttler`] spare hosts that fail; each can be used alone.
//! - The feature `testing` brings a fake clock, a scripted server and a simulator.
//!
//! A unit test of a retry policy needs no runtime, no socket and no sleep:
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! use fetch_proto::testing::{Script, status};
//! use fetch_proto::{Backoff, Policy};
//!
//! let policy = Policy::default().backoff(Backoff::default().jitter(None));
//! let run = Script::new(policy).answers([status(503), status(503), status(200)]).run();
//! assert_eq!(run.to_string(), "0s start · 0s 503 · 1s start · 1s 503 · 3s start · 3s 200 done");
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod balance;
mod batch;
mod breaker;
mod budget;
mod engine;
mod event;
mod failure;
mod fetch;
mod few;
mod hedge;
mod histogram;
mod id;
mod latency;
mod limiter;
mod method;
mod outcome;
mod policy;
mod portion;
mod random;
mod rate;
mod request;
mod rules;
mod slots;
mod stall;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod throttle;
mod time;
mod timings;
mod wake;

pub use balance::{Balance, Balancer, Endpoint, Outlier, Served, Target, TargetError};
pub use batch::{BatchStats, Ending, Sample};
pub use breaker::{
    Breaker, BreakerMode, Call, CallCounts, Circuit, CircuitState, Denied, OnOpen, Transition,
    Trip, Verdict,
};
pub use budget::{Purse, RetryBudget, RetryCost, RetryKind};
pub use engine::{
    Checkpoint, Config, Engine, HostStats, Idle, Moved, Output, Part, Refusal, Rejected, Shed,
    Stats,
};
pub use event::{Cause, Event, Pace};
pub use failure::Failure;
pub use fetch::{Fetch, Step};
pub use hedge::{Hedge, HedgeDelay};
pub use histogram::{Histogram, HistogramSummary};
pub use id::{AttemptId, FetchId};
pub use latency::Recent;
pub use limiter::{Adaptive, Aimd, Gradient2, Limiter, Vegas};
pub use method::{InvalidMethod, Method};
pub use outcome::{AttemptEnd, AttemptReport, Error, Finish, GaveUp, Outcome};
pub use policy::{
    Backoff, Chaos, Class, Classes, Fallback, Fault, Jitter, Limit, OverCap, Policy, RedirectError,
    Redirects, RetryAfter, StatusSet, Timeouts,
};
pub use rate::{Gcra, Rate, RateError};
pub use request::{Attempt, Delivery, Handled, Head, Input, Request, RequestBody};
pub use rules::{Pattern, RuleError, RuleReason, Rules, RulesBuilder};
pub use stall::{Meter, StallGuard};
pub use throttle::{Throttle, Throttler};
pub use time::Timestamp;
pub use timings::{AttemptTimings, Phase, Timings};
pub use wake::{Reason, Wake};
