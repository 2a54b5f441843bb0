//! The public handles: the fetcher, its builder, and its streams of outcomes.

pub(crate) mod builder;
pub(crate) mod drivers;
pub(crate) mod fetch_all;
pub(crate) mod fetcher;
pub(crate) mod streamed;
#[cfg(feature = "tower")]
pub(crate) mod tower;
