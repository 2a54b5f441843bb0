//! The cache of responses: how it decides, its settings, and its stores.
//!
//! A [`Cache`](crate::Cache) is given to [`Builder::cache`](crate::Builder::cache). What it decides by is in
//! `fetch_proto::cache`.

#[cfg(feature = "cache-disk")]
pub(crate) mod disk;
pub(crate) mod fields;
pub(crate) mod handle;
pub(crate) mod key;
pub(crate) mod memory;
pub(crate) mod store;
pub(crate) mod stored;

pub use fetch_proto::cache::{
    CacheMode, CacheResult, CacheRules, CacheScope, CacheStatus, ForwardReason, StoredHead,
    WallTime,
};
