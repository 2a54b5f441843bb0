//! How the drivers of one fetcher share its limits.

pub(crate) mod concurrency;
pub(crate) mod divided;
pub(crate) mod limits;
pub(crate) mod surplus;
