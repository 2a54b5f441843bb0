//! A crawler of an API, written twice: [`ours`] with fetch-all, [`peers`] with reqwest-middleware, reqwest-retry
//! and governor. Both fetch the pages of a list and each item on them, at no more than a number of requests per
//! second, retry what fails, obey `Retry-After`, and count requests and retries.
//!
//! `docs/library.md` compares their length; `tests/crawlers.rs` holds both to the same results.

pub mod api;
pub mod model;
pub mod ours;
pub mod peers;
