//! Drives the engine of `fetch-proto` over any HTTP client, timer and executor.
//!
//! Programs use the crate of an adapter, such as `fetch-smol`, which re-exports these types under the
//! same names. This crate is what all adapters share, and it depends on no runtime:
//!
//! - [`Fetcher`], [`Builder`], [`Request`], [`Outcome`]: what a program uses.
//! - [`Adapter`]: what a runtime provides, that is an HTTP client ([`Transport`]), a [`Timer`], and an
//!   executor for the driver.
//! - The driver, which sends what the engine asks for and reports what it received. It makes no
//!   decisions.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
#[cfg(feature = "cache")]
pub mod cache;
mod client;
pub mod common;
mod driver;
mod fields;
mod lock;
mod model;
mod settings;
mod shard;
mod telemetry;
mod transport;

pub use auth::signer::{RequestSigner, RequestToSign};
pub use auth::source::{AccessToken, CredentialError, CredentialSource, TokenFuture};
pub use bytes;
#[cfg(feature = "cache-disk")]
pub use cache::disk::{
    DiskStore,
    inspect::{CacheDirectory, CacheEntry, CacheFile, CacheFileError},
};
#[cfg(feature = "cache-redis")]
pub use cache::redis::RedisStore;
#[cfg(feature = "cache")]
pub use cache::{
    handle::{Cache, CacheStats},
    key::CacheKey,
    layered::LayeredStore,
    memory::MemoryStore,
    store::{CacheStore, CacheStoreError, CacheUsage, StoreAnswer, StoreFuture},
    stored::StoredResponse,
};
pub use client::builder::{
    Builder,
    build::{fetch_all, fetch_all_with_concurrency},
};
pub use client::fetch_all::FetchAll;
pub use client::fetcher::Fetcher;
pub use client::streamed::{StreamedBody, StreamedResponse};
#[cfg(feature = "tower")]
pub use client::tower::FetcherLayer;
pub use fetch_proto::FetchError;
pub use fetch_proto::{
    ActiveDownload, AttemptEnd, AttemptPhase, AttemptReport, AuthProfile, Backoff, BatchStats,
    EngineConfig, EngineSnapshot, EngineStats, FailureKind, FetchTimings, GiveUpReason,
    HostSnapshot, Jitter, LoginSchemes, Method, OutageWait, OverCap, Policy, PolicyPatch,
    PolicyRules, Quoted, Rate, RedirectPolicy, ResumePoint, RetryAfterPolicy, RetryBudget,
    RetryClass, RulePattern, StatusSet, TimeLimit, Timeouts, TimeoutsPatch, Timestamp,
    TokenFailure, TokenPolicy, Validator, WaitReason, WaitingHost, is_secret_parameter, url_host,
    url_origin,
};
pub use fetch_retry_after::parse_retry_after;
#[cfg(feature = "cookies")]
pub use fields::cookies::jar::CookieJar;
pub use fields::hsts::{HstsHost, HstsStore};
pub use fields::netrc::Netrc;
pub use fields::redact::RedactedUrl;
pub use http;
pub use model::attachment::Attachment;
pub use model::error::{Error, ErrorKind};
pub use model::fallback_value::FallbackValue;
pub use model::hook::{
    attempt_request::AttemptRequest, attempt_response::AttemptResponse, error::HookError,
    verdict::Verdict,
};
pub use model::outcome::{FallbackSource, Outcome, RedirectResponse};
pub use model::redirect_check::{RedirectCheck, RedirectVerdict};
pub use model::request::{BodyRetention, BodySource, IntoRequest, Request};
pub use model::response::Response;
pub use model::save::{BodySink, BodyWriter, ResponseHead, SaveError, SaveReceipt};
#[cfg(feature = "multipart")]
pub use model::upload::{
    body::FormBody,
    error::FormError,
    file::FileBody,
    form::{Form, Part},
};
pub use settings::adapter::Adapter;
pub use settings::build_error::BuildError;
pub use settings::connect_to::ConnectTo;
pub use settings::connector::{ConnectionStream, Connector, OpenedConnection};
pub use settings::dns_resolver::{DnsResolver, ResolvedAddresses};
pub use settings::fallback::FallbackSettings;
pub use settings::local_address::{AddressFamily, LocalAddress};
pub use settings::pool::{DEFAULT_IDLE_TIMEOUT, DEFAULT_MAX_CONNECTIONS, PoolSettings};
pub use settings::proxy::{Proxy, ProxyKind};
pub use settings::proxy_rules::ProxyRules;
pub use settings::route::RouteSettings;
pub use settings::tls::{
    ClientIdentity, CustomTlsConfig, Http2Mode, TlsSettings, TlsVersion, TrustedRoots,
};
pub use settings::transport_override::TransportOverride;
pub use settings::{DEFAULT_EXPECT_TIMEOUT, Settings};
pub use transport::Transport;
pub use transport::clock::Clock;
pub use transport::connection::ConnectionInfo;
pub use transport::error::TransportError;
pub use transport::failure_reason::FailureReason;
pub use transport::message::{BodyStream, IncomingResponse, OutgoingRequest, RequestBody};
pub use transport::message_sizes::MessageSizes;
pub use transport::progress::{AttemptProgress, BodyDemand};
pub use transport::response_headers::ResponseHeaders;
#[cfg(feature = "tower")]
pub use transport::service_transport::{ReceivedServiceBody, ServiceBody, ServiceTransport};
pub use transport::shared_state::SharedState;
#[cfg(feature = "async-io")]
pub use transport::timer::AsyncIoTimer;
pub use transport::timer::Timer;
pub use transport::transport_fn::{TransportFn, transport_fn};
pub use url;

/// The target of the log records of this crate, except those with [`HOST_LOG_TARGET`].
pub const LOG_TARGET: &str = "fetch_all";

/// The target of log records about hosts: one that is down, limits the rate of requests or is given
/// up (warnings), or is back (info). Filters for [`LOG_TARGET`] include it.
pub const HOST_LOG_TARGET: &str = "fetch_all::hosts";

/// Compiles and runs the README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
