//! Logs, metrics and spans of fetches.

pub(crate) mod logging;
pub(crate) mod metrics;
pub(crate) mod recording;
pub(crate) mod tracing;
#[cfg(feature = "metrics")]
mod waiting_hosts;
