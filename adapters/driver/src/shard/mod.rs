//! How the drivers of one fetcher share its limits.

pub(crate) mod concurrency;
mod fair_limiter;
pub(crate) mod shared_limits;
pub(crate) mod surplus;
