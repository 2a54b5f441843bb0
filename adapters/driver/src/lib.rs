//! The one loop that drives `fetch-proto` over any transport, timer and executor.
//!
//! Users take an adapter, such as `fetch-smol`; this crate is what all adapters share. It depends on
//! no runtime. An adapter brings three things ([`Adapter`]): an HTTP client ([`Transport`]), a
//! [`Timer`], and a place to run the driver. What to do with them is decided by the core.

mod client;
pub mod common;
mod driver;
mod fields;
mod model;
mod settings;
mod shard;
pub mod sync;
mod telemetry;
mod transport;

pub use client::builder::Builder;
pub use client::fetch_all::FetchAll;
pub use client::fetcher::Fetcher;
pub use client::streamed::{Body, StreamedResponse};
/// What the core says of a fetch that came to no response.
pub use fetch_proto::Error as FetchError;
pub use fetch_proto::{
    AttemptEnd, AttemptReport, Backoff, BatchStats, Config, Failure, GaveUp, Jitter, Limit, Method,
    OverCap, Pattern, Phase, Policy, Rate, Redirects, RetryAfter, RetryBudget, Rules, Stats,
    StatusSet, Timeouts, Timestamp, Timings,
};
pub use fields::cookie_jar::CookieJar;
pub use fields::redact::Redacted;
pub use fields::retry_after::parse_retry_after;
pub use model::error::{Error, ErrorKind};
pub use model::fallback_value::FallbackValue;
pub use model::outcome::{FellBack, Outcome, Response};
pub use model::request::{IntoRequest, Keep, Request};
pub use model::save::{ResponseHead, SaveBody, SaveError, Saved, Saving};
pub use settings::Settings;
pub use settings::adapter::Adapter;
pub use settings::build_error::BuildError;
pub use settings::connect_to::ConnectTo;
pub use settings::proxy::{Proxy, ProxyKind};
pub use settings::proxy_rules::ProxyRules;
pub use settings::tls::{Http2, Identity};
pub use settings::with_transport::WithTransport;
pub use transport::Transport;
pub use transport::clock::Clock;
pub use transport::connection::Connection;
pub use transport::error::TransportError;
pub use transport::message::{BodyStream, Incoming, Outgoing, RequestBody};
pub use transport::progress::{Marks, Wanted};
pub use transport::shared_state::InCommon;
#[cfg(feature = "async-io")]
pub use transport::timer::AsyncIoTimer;
pub use transport::timer::Timer;
pub use transport::transport_fn::{TransportFn, transport_fn};

/// The target of all log records of this crate.
pub const LOG_TARGET: &str = "fetch_all";
