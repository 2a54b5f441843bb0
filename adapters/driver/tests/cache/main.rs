//! The cache of a fetcher, over a transport that counts what it is asked.

#[cfg(feature = "cache-disk")]
mod agreement;
mod delivery;
#[cfg(feature = "cache-disk")]
mod disk;
mod identity;
mod matrix;
mod modes;
mod server;
mod stores;
mod storing;
mod waiting;
