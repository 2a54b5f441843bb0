//! Fetches many URLs: a runtime-agnostic, sans-IO bulk HTTP fetcher.
//!
//! Pick the feature of your runtime; the line is the same on each:
//!
//! ```
//! # #[cfg(feature = "smol")] {
//! # let site = fetch_testbed::Site::start()?;
//! # let urls = [site.url("/get"), site.url("/status/404")];
//! use fetch_all::smol::{StreamExt, fetch_all};
//!
//! smol::block_on(fetch_all(urls).for_each(|outcome| println!("{outcome}")));
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! | feature | module | what for |
//! |---|---|---|
//! | `smol` (default) | [`smol`] | smol, and anything on async-io |
//! | `tokio` | [`tokio`] | tokio, current-thread or multi-thread |
//! | `async-std` | [`async_std`] | async-std, which is discontinued: prefer smol |
//! | `isahc` | [`isahc`] | isahc, and so libcurl, under any runtime |
//! | `surf` | [`surf`] | surf, which is unmaintained: prefer smol |
//! | `tls`, `http2`, `gzip`, `brotli`, `zstd` (default) | | https, HTTP/2 (but over isahc and surf), content codings |
//! | `testing` | [`proto::testing`] | fake clock, scripted server, simulator |
//! | `policy-file` | [`policy_file`] | limits, rules and policies from a TOML file |
//! | `record` | [`trace`] | recording what the core sees; replay, what-if |
//! | `timing` | [`timing`] | timings of any code of yours |
//! | `metrics`, `tracing` | | metrics and spans for the crates of these names |
//! | `serde` | | the core's plain data as serde types |
//!
//! The default features are `smol`, `tls`, `http2` and the codings. A client of your own, on any of
//! these runtimes, is a function: [`driver::transport_fn`].
//!
//! # Without a runtime
//!
//! A runtime's module is there once its feature is on. With `default-features = false` and none of
//! them there is no `fetch_all`, but everything that needs no socket: the types below, [`driver`], for an adapter of your own
//! ([`driver::Adapter`]), and the core, [`proto`]: every decision (admission, retries, backoff,
//! timeouts, redirects, limits) as a pure state machine without IO or clock, which unit tests drive
//! with a fake clock:
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! use fetch_all::proto::testing::{FetchScript, status};
//! use fetch_all::{Backoff, Policy};
//!
//! let policy = Policy::default().backoff(Backoff::default().jitter(None));
//! let run = FetchScript::new(policy).answers([status(503), status(200)]).run();
//! assert_eq!(run.to_string(), "0s start · 0s 503 · 1s start · 1s 200 done");
//! # }
//! ```
//!
//! # What happens to a URL
//!
//! 1. It waits in its host's queue. Hosts take turns, so none delays another. Limits hold over all
//!    and per host: attempts in flight, attempts per second.
//! 2. An attempt is sent. Its [`Timeouts`] come from the first of the [`PolicyRules`] that match the URL:
//!    10 s for `/delay/`, 8 s for `/status/`, else 6 s. They begin with the attempt; waiting in the
//!    queue does not count.
//! 3. A failure or a status worth a retry (408, 425, 429, 500, 502, 503, 504) is tried again, three
//!    times in all, after 1 s, 2 s, 4 s … with jitter, if sending it twice can do no harm. A
//!    `Retry-After` is obeyed and rests the whole host. While it waits, it holds no slot.
//! 4. Redirects are followed, ten at most, never from https to http, and without credentials to
//!    another origin.
//! 5. It ends in exactly one [`Outcome`]: a [`Response`] of any status, or an [`Error`].
//!
// What is not built has its link lead to how to build it.
#![cfg_attr(not(feature = "async-std"), doc = "[`async_std`]: #without-a-runtime")]
#![cfg_attr(not(feature = "isahc"), doc = "[`isahc`]: #without-a-runtime")]
#![cfg_attr(
    not(feature = "policy-file"),
    doc = "[`policy_file`]: #without-a-runtime"
)]
#![cfg_attr(not(feature = "record"), doc = "[`trace`]: #without-a-runtime")]
#![cfg_attr(not(feature = "smol"), doc = "[`smol`]: #without-a-runtime")]
#![cfg_attr(not(feature = "surf"), doc = "[`surf`]: #without-a-runtime")]
#![cfg_attr(
    not(feature = "testing"),
    doc = "[`proto::testing`]: #without-a-runtime"
)]
#![cfg_attr(not(feature = "timing"), doc = "[`timing`]: #without-a-runtime")]
#![cfg_attr(not(feature = "tokio"), doc = "[`tokio`]: #without-a-runtime")]

#[cfg(feature = "async-std")]
pub use fetch_async_std as async_std;
/// The loop and its seams, for transports and adapters of your own.
pub use fetch_driver as driver;
pub use fetch_driver::{
    AttemptEnd, AttemptReport, Backoff, BatchStats, BodyRetention, BuildError, ConnectionInfo,
    EngineStats, Error, ErrorKind, FailureKind, FallbackSource, FallbackValue, FetchAll,
    FetchError, FetchTimings, GiveUpReason, IntoRequest, Jitter, Method, Outcome, OverCap, Policy,
    PolicyPatch, PolicyRules, Rate, RedactedUrl, RedirectPolicy, Request, Response,
    RetryAfterPolicy, RulePattern, Settings, StatusSet, StreamedBody, StreamedResponse, TimeLimit,
    Timeouts, TimeoutsPatch,
};
#[cfg(feature = "isahc")]
pub use fetch_isahc as isahc;
/// Limits, rules and policies from one TOML file.
#[cfg(feature = "policy-file")]
pub use fetch_policy as policy_file;
/// The pure core.
pub use fetch_proto as proto;
/// What policies are made of, besides the types above: breakers, budgets, hedging, learned limits,
/// balancing, faults on purpose.
pub use fetch_proto::{
    AdaptiveConcurrency, Aimd, BalanceStrategy, BalancedTarget, Breaker, BreakerMode, ChaosPolicy,
    EngineConfig, Fallback, Gradient2, Hedge, HedgeDelay, InjectedFault, LoadShedding, OnOpen,
    OutlierDetection, RetryBudget, RetryClass, RetryClasses, StallGuard, TargetEndpoint, Throttle,
    Vegas,
};
#[cfg(feature = "smol")]
pub use fetch_smol as smol;
#[cfg(feature = "surf")]
pub use fetch_surf as surf;
/// Times any code: futures, closures, scopes and whole functions.
#[cfg(feature = "timing")]
pub use fetch_timing as timing;
#[cfg(feature = "tokio")]
pub use fetch_tokio as tokio;
/// Replays what was recorded, and asks what if.
#[cfg(feature = "record")]
pub use fetch_trace as trace;

/// The code of the policies' documentation, compiled.
#[cfg(all(doctest, feature = "smol"))]
#[doc = include_str!("../docs/policies.md")]
pub struct Policies;

/// The README's code, compiled.
#[cfg(all(doctest, feature = "smol", feature = "testing"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
