//! Fetchers and batches over their lifetime.

pub(crate) mod cancellation;
pub(crate) mod large_batch;
pub(crate) mod runtimes;
