//! Logs, metrics and spans.

pub(crate) mod logging;
pub(crate) mod metrics;
pub(crate) mod tracing;
