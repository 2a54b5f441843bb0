//! The one loop that drives `fetch-proto` over any transport, timer and executor.
//!
//! Users take an adapter, such as `fetch-smol`; this crate is what all adapters share. It depends on
//! no runtime. An adapter brings three things ([`Adapter`]): an HTTP client ([`Transport`]), a
//! [`Timer`], and a place to run the driver. What to do with them is decided by the core.

mod batch;
mod body;
mod builder;
mod clock;
pub mod common;
mod connect_to;
mod cookie_jar;
mod cookies;
mod deliveries;
mod divided;
mod driver;
mod error;
mod exchange;
mod fetcher;
mod flights;
mod in_common;
mod job;
mod last_resort;
mod logging;
mod marks;
mod metering;
mod no_proxy;
mod outcome;
mod peer;
mod pot;
mod proxy;
mod proxy_rules;
mod rate_limit;
mod recording;
mod redact;
mod request;
mod retry_after;
mod routing;
mod save;
mod settings;
mod share;
mod sight;
mod spans;
pub mod sync;
mod threads;
mod timer;
mod transport;
mod transport_fn;
mod with_transport;

pub use batch::FetchAll;
pub use body::{Body, StreamedResponse};
pub use builder::Builder;
pub use clock::Clock;
pub use connect_to::ConnectTo;
pub use cookie_jar::CookieJar;
pub use error::{Error, ErrorKind};
/// What the core says of a fetch that came to no response.
pub use fetch_proto::Error as FetchError;
pub use fetch_proto::{
    AttemptEnd, AttemptReport, Backoff, BatchStats, Config, Failure, GaveUp, Jitter, Limit, Method,
    OverCap, Pattern, Phase, Policy, Rate, Redirects, RetryAfter, RetryBudget, Rules, Stats,
    StatusSet, Timeouts, Timestamp, Timings,
};
pub use fetcher::Fetcher;
pub use in_common::InCommon;
pub use last_resort::FallbackValue;
pub use marks::{Marks, Wanted};
pub use outcome::{FellBack, Outcome, Response};
pub use proxy::{Proxy, ProxyKind};
pub use proxy_rules::ProxyRules;
pub use redact::Redacted;
pub use request::{IntoRequest, Keep, Request};
pub use retry_after::parse_retry_after;
pub use save::{ResponseHead, SaveBody, SaveError, Saved, Saving};
pub use settings::{Adapter, BuildError, Http2, Identity, Settings};
#[cfg(feature = "async-io")]
pub use timer::AsyncIoTimer;
pub use timer::Timer;
pub use transport::{
    BodyStream, Connection, Incoming, Outgoing, RequestBody, Transport, TransportError,
};
pub use transport_fn::{TransportFn, transport_fn};
pub use with_transport::WithTransport;

/// The target of all log records of this crate.
pub const LOG_TARGET: &str = "fetch_all";
