//! The decisions of an HTTP cache (RFC 9111), without a clock, a store and bodies: whether a response is
//! stored, whether a stored one answers a request, and how it is updated.
//!
//! | a driver has | it calls |
//! |---|---|
//! | a request | [`needs_lookup`], then [`judge_use`] with what is stored for its URL |
//! | a response | [`judge_store`], and [`invalidated_urls`] after unsafe methods |
//! | a 304 to a validation | [`confirms`], [`is_updated_field`], and [`judge_store`] again |
//! | no response, or a 5xx | [`may_replace_error`] |
//!
//! Also implemented: stale responses (RFC 5861), `immutable` (RFC 8246), targeted fields (RFC 9213) and
//! `Cache-Status` (RFC 9211). Directives that cannot be read count as what restricts most.

mod control;
mod fields;
mod lookup;
mod message;
mod not_stored;
mod rules;
mod status;
mod stored;
mod targeted;
#[cfg(test)]
mod tests;
mod time;
mod update;
mod vary;

pub use fields::CacheFields;
pub use lookup::{CacheUse, judge_use, may_replace_error, needs_lookup};
pub use message::{CacheRequest, CacheResponse};
pub use not_stored::NotStored;
pub use rules::{CacheMode, CacheRules, CacheScope};
pub use status::{CacheResult, CacheStatus, ForwardReason};
pub use stored::{StoredHead, judge_store};
pub use time::WallTime;
pub use update::{
    answers_condition, confirms, invalidated_urls, is_stored_field, is_updated_field,
};
