//! The cache of responses: how it decides, its settings, and its stores.
//!
//! A [`Cache`](crate::Cache) is given to [`Builder::cache`](crate::Builder::cache). What it decides by is in
//! `fetch_proto::cache`.

#[cfg(any(feature = "cache-disk", feature = "cache-redis"))]
mod breaker;
#[cfg(feature = "cache-disk")]
pub(crate) mod disk;
pub(crate) mod fields;
#[cfg(any(feature = "cache-disk", feature = "cache-redis"))]
mod format;
pub(crate) mod handle;
pub(crate) mod key;
pub(crate) mod layered;
pub(crate) mod memory;
#[cfg(feature = "cache-redis")]
pub(crate) mod redis;
pub(crate) mod store;
pub(crate) mod stored;
#[cfg(any(feature = "cache-disk", feature = "cache-redis"))]
mod writes;

pub use fetch_proto::cache::{
    CacheMode, CacheResult, CacheRules, CacheScope, CacheStatus, ForwardReason, StoredHead,
    WallTime,
};
