//! How the drivers of one fetcher share its limits.

pub(crate) mod concurrency;
pub(crate) mod shared_limits;
pub(crate) mod surplus;
