//! Fetches many URLs, from ten to ten million, on the async runtime that you already use.
//!
//! Each URL ends in exactly one outcome: a response, or an error that names the URL, the step that
//! failed and the number of attempts. A failed URL never ends the stream of outcomes. Limits per
//! host, retries, circuit breakers, hedging and timeouts are decided by a pure state machine, which
//! unit tests drive with a fake clock.
//!
//! # Pick a runtime
//!
//! Each runtime is a feature with a module of the same name. The modules have the same functions and
//! types, and the features can be combined.
//!
//! | feature | module | runtime and HTTP client |
//! |---|---|---|
//! | `smol` (default) | [`smol`] | smol and any other executor with async-io; our HTTP/1.1, hyper's HTTP/2 |
//! | `tokio` | [`tokio`] | tokio, current-thread or multi-thread; the same HTTP |
//! | `async-std` | [`async_std`] | async-std; the same HTTP. async-std is discontinued: prefer smol |
//! | `isahc` | [`isahc`] | isahc, which uses libcurl, on any runtime |
//! | `surf` | [`surf`] | surf, on async-std. surf is unmaintained: prefer smol |
//!
//! [What each adapter supports][conformance] is verified by one test suite.
//!
//! # Fetch a list
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
//! URLs are read only when there is room for them, so a list of ten million needs no more memory than
//! one of ten thousand. Outcomes arrive in the order in which they end. Dropping the stream cancels
//! the fetches in flight.
//!
//! # Requests and outcomes
//!
//! A `Fetcher` holds connections, limits and settings, and is built once:
//!
//! | to … | call | which returns |
//! |---|---|---|
//! | fetch a list or an iterator | [`fetch_all`](driver::Fetcher::fetch_all) | a stream of [`Outcome`]s |
//! | fetch URLs that arrive as a stream | [`fetch_stream`](driver::Fetcher::fetch_stream) | a stream of [`Outcome`]s |
//! | fetch one URL, with all details | [`fetch`](driver::Fetcher::fetch) | an [`Outcome`] |
//! | fetch one URL, for its response | [`get`](driver::Fetcher::get) | a [`Response`] or an [`Error`] |
//! | read a body in chunks | [`open`](driver::Fetcher::open) | a [`StreamedResponse`] or an [`Error`] |
//!
//! Whatever names a URL is a request: a string, a `Url`, or a [`Request`] with method, header fields,
//! body, priority, policy and tag.
//!
//! ```
//! # #[cfg(feature = "smol")] {
//! # let site = fetch_testbed::Site::start()?;
//! # let url = site.url("/anything");
//! use fetch_all::smol::Fetcher;
//! use fetch_all::{Method, Request};
//!
//! let fetcher = Fetcher::builder().concurrency(50).per_host(4).build()?;
//! let upload = Request::new(Method::Put, url)?
//!     .header("content-type", "text/plain")?
//!     .body("hello");
//!
//! let outcome = smol::block_on(fetcher.fetch(upload));
//! match &outcome.result {
//!     Ok(response) => println!("{}: {} bytes", response.status, response.body.len()),
//!     Err(error) => eprintln!("{error}"),
//! }
//! println!("{} attempts in {:?}", outcome.attempts.len(), outcome.duration());
//! # assert!(outcome.is_success());
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every status is a response, also 404 and 500: [`Outcome::is_success`] is true for 2xx only.
//!
//! # Policies
//!
//! A [`Policy`] controls one fetch: attempts, [`Backoff`], [`Timeouts`], redirects, [`Hedge`],
//! [`Fallback`]. [`PolicyRules`] choose a policy by URL pattern. An [`EngineConfig`] controls all
//! fetches of a fetcher together: concurrency, rates, circuit [`Breaker`], [`RetryBudget`],
//! [`AdaptiveConcurrency`].
//!
//! ```
//! # #[cfg(feature = "smol")] {
//! use std::time::Duration;
//!
//! use fetch_all::smol::Fetcher;
//! use fetch_all::{Breaker, EngineConfig, Policy, RetryBudget};
//!
//! let config = EngineConfig::default()
//!     .breaker(Breaker::default())
//!     .host_budget(RetryBudget::default());
//! let fetcher = Fetcher::builder()
//!     .config(config)
//!     .policy(Policy::default().attempts(5))
//!     .timeout("/reports/", Duration::from_secs(60))
//!     .build()?;
//! # drop(fetcher);
//! # }
//! # Ok::<(), fetch_all::BuildError>(())
//! ```
//!
//! [The guide to policies][policies] describes each of them: what it does, its default, its source and
//! its cost. With the feature `policy-file`, one TOML file sets them all ([`policy_file`]).
//!
//! # Test without a network
//!
//! The core, [`proto`], has no IO and no clock. With the feature `testing`, a test scripts the answers
//! of a server and reads the decisions, in virtual time ([`proto::testing`]):
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
//! To test code that uses a fetcher, replace the network by a function: [`driver::transport_fn`].
//! The same function adapts any other HTTP client.
//!
//! # What happens to a URL
//!
//! 1. It waits in the queue of its host. Hosts take turns, so a slow host does not delay the others.
//!    Limits apply over all hosts and per host: attempts in flight, attempts per second.
//! 2. An attempt is sent. Its [`Timeouts`] come from the first of the [`PolicyRules`] that matches the
//!    URL: 10 s for `/delay/`, 8 s for `/status/`, else 6 s. They start with the attempt; time in the
//!    queue does not count.
//! 3. A failure, or a status of 408, 425, 429, 500, 502, 503 or 504, is retried if sending the request
//!    twice is safe: at most three attempts, after 1 s, 2 s, 4 s … with jitter. A `Retry-After` is
//!    obeyed and pauses the whole host. A waiting fetch uses no slot.
//! 4. Redirects are followed, at most ten, never from https to http, and without credentials to
//!    another origin.
//! 5. It ends in one [`Outcome`]: a [`Response`] of any status, or an [`Error`].
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `smol`, `tokio`, `async-std`, `isahc`, `surf` | a runtime; `smol` is a default |
//! | `blocking` | [`blocking`]: iterators and functions that wait, without async |
//! | `tls` (default) | https |
//! | `http2` (default) | HTTP/2, except with isahc and surf |
//! | `structured-fields` (default) | pauses by the header field `RateLimit` in its current form |
//! | `json` | `Request::json`, `form`, `query`, and `Response::json`: values of serde |
//! | `multipart` | `Request::multipart`, `body_file`: forms with files, and files, as bodies |
//! | `logging` | [`logging`]: the log of a program, to the console, a rotating file, or both |
//! | `charset` | `Response::text` in any encoding of the web, not in UTF-8 only |
//! | `cookies` | storing cookies and sending them back |
//! | `hickory` | `hickory::HickoryResolver`: DNS over HTTPS and over TLS |
//! | `platform-verifier` | trust in the certificate authorities of the system, for smol, tokio and async-std |
//! | `socks` | SOCKS4 and SOCKS5 proxies, for smol, tokio and async-std |
//! | `gzip`, `brotli`, `zstd` (default) | content codings |
//! | `digest`, `oauth`, `sigv4` | [`auth`]: Digest, grants of OAuth 2, and signatures of AWS |
//! | `testing` | [`proto::testing`]: fake clock, scripted server, simulator |
//! | `policy-file` | [`policy_file`]: limits, rules and policies from a TOML file |
//! | `record` | [`trace`]: recording of what the core sees, replay, what-if |
//! | `metrics`, `tracing` | metrics and spans, by the names of OpenTelemetry |
//! | `tower` | a fetcher as a tower service or layer, and any service as the transport |
//! | `traceparent` | the header field by which a server continues the trace |
//! | `serde` | the core's plain data as serde types |
//! | `timing` | [`timing`]: timings of any code |
//!
//! # Without a runtime
//!
//! With `default-features = false` and no runtime there is no `fetch_all` function and no socket. What
//! remains are the types of requests, outcomes and policies, the core ([`proto`]), and the driver
//! with its traits ([`driver`]), for an adapter of your own ([`driver::Adapter`]). A module is in the
//! documentation only if its feature is enabled.
//!
//! # Documents
//!
//! - [Guide to the library][library]
//! - [Policies][policies], with formulas and sources
//! - [Logs, metrics and traces][observability]
//! - [What each adapter supports][conformance]
//! - [Benchmarks][benchmarks]
//! - [Examples][examples]
//!
//! [benchmarks]: https://github.com/fetch-all/fetch-all/blob/main/docs/benchmarks.md
//! [conformance]: https://github.com/fetch-all/fetch-all/blob/main/docs/conformance.md
//! [examples]: https://github.com/fetch-all/fetch-all/tree/main/examples
//! [library]: https://github.com/fetch-all/fetch-all/blob/main/docs/library.md
//! [observability]: https://github.com/fetch-all/fetch-all/blob/main/docs/observability.md
//! [policies]: https://github.com/fetch-all/fetch-all/blob/main/docs/policies.md
//!
// A link to a module that this build does not have leads to the section that explains why.
#![cfg_attr(not(feature = "async-std"), doc = "[`async_std`]: #without-a-runtime")]
#![cfg_attr(
    not(any(feature = "digest", feature = "oauth", feature = "sigv4")),
    doc = "[`auth`]: #without-a-runtime"
)]
#![cfg_attr(not(feature = "blocking"), doc = "[`blocking`]: #without-a-runtime")]
#![cfg_attr(not(feature = "isahc"), doc = "[`isahc`]: #without-a-runtime")]
#![cfg_attr(not(feature = "logging"), doc = "[`logging`]: #without-a-runtime")]
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
#![cfg_attr(docsrs, feature(doc_cfg))]

// Runtimes.
#[cfg(feature = "async-std")]
pub use fetch_async_std as async_std;
#[cfg(feature = "isahc")]
pub use fetch_isahc as isahc;
#[cfg(feature = "smol")]
pub use fetch_smol as smol;
#[cfg(feature = "surf")]
pub use fetch_surf as surf;
#[cfg(feature = "tokio")]
pub use fetch_tokio as tokio;

// Credentials.
#[cfg(any(feature = "digest", feature = "oauth", feature = "sigv4"))]
pub use fetch_auth as auth;

// Names by other means than the system's.
#[cfg(feature = "hickory")]
pub use fetch_hickory as hickory;

// Without async.
#[cfg(feature = "blocking")]
pub mod blocking;

// The layers below, and optional modules.
pub use fetch_driver as driver;
#[cfg(feature = "logging")]
pub use fetch_logging as logging;
#[cfg(feature = "policy-file")]
pub use fetch_policy as policy_file;
pub use fetch_proto as proto;
#[cfg(feature = "timing")]
pub use fetch_timing as timing;
#[cfg(feature = "record")]
pub use fetch_trace as trace;

// Requests and outcomes.
pub use fetch_driver::{
    ActiveDownload, AttemptEnd, AttemptReport, BatchStats, BodyRetention, ConnectionInfo,
    EngineSnapshot, EngineStats, Error, ErrorKind, FailureKind, FallbackSource, FallbackValue,
    FetchAll, FetchError, FetchTimings, GiveUpReason, HostSnapshot, IntoRequest, Method, Outcome,
    RedactedUrl, Request, Response, ResponseHeaders, StreamedBody, StreamedResponse,
};

#[cfg(feature = "multipart")]
pub use fetch_driver::{FileBody, Form, FormBody, FormError, Part};

// Authentication by tokens that many requests share.
pub use fetch_driver::{
    AccessToken, AuthProfile, CredentialError, CredentialSource, LoginSchemes, RequestSigner,
    RequestToSign, TokenFailure, TokenPolicy,
};

// Functions that decide about attempts and responses.
pub use fetch_driver::{AttemptRequest, AttemptResponse, HookError, Verdict};

// Settings of a fetcher, and limits over all its fetches.
pub use fetch_driver::{BuildError, Rate, Settings};
pub use fetch_proto::{
    AdaptiveConcurrency, Aimd, Breaker, BreakerMode, EngineConfig, Gradient2, LoadShedding, OnOpen,
    OutageWait, OutlierDetection, Pacing, RetryBudget, Throttle, Vegas, WaitReason, WaitingHost,
};

// Policies of one fetch, and rules that choose them.
pub use fetch_driver::{
    Backoff, Jitter, OverCap, Policy, PolicyPatch, PolicyRules, RedirectPolicy, RetryAfterPolicy,
    RulePattern, StatusSet, TimeLimit, Timeouts, TimeoutsPatch,
};
pub use fetch_proto::{
    BackoffPatch, BalanceStrategy, BalancedTarget, ChaosPolicy, Fallback, FallbackPatch, Hedge,
    HedgeDelay, HedgeDelayPatch, HedgePatch, InjectedFault, KeptPostsPatch, RedirectPatch,
    RetryAfterPatch, RetryClass, RetryClasses, StallGuard, StallPatch, TargetEndpoint,
};

/// Compiles the examples in `docs/policies.md`.
#[cfg(all(doctest, feature = "smol"))]
#[doc = include_str!("../docs/policies.md")]
pub struct PolicyGuideExamples;

/// Compiles the examples in `README.md`.
#[cfg(all(doctest, feature = "smol", feature = "testing"))]
#[doc = include_str!("../README.md")]
pub struct ReadmeExamples;
