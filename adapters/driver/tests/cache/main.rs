//! The cache of a fetcher, over a transport that counts what it is asked.

mod delivery;
#[cfg(feature = "cache-disk")]
mod disk;
mod identity;
mod modes;
mod server;
mod stores;
mod storing;
mod waiting;
