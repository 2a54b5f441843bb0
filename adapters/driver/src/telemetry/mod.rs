//! Logs, metrics and spans of fetches.

pub(crate) mod logging;
pub(crate) mod metrics;
pub(crate) mod recording;
#[cfg(feature = "traceparent")]
pub(crate) mod trace_context;
pub(crate) mod tracing;
#[cfg(feature = "metrics")]
mod waiting_hosts;
