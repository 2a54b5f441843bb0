//! Requests, responses and their bodies.

pub(crate) mod bodies;
pub(crate) mod caching;
pub(crate) mod cookies;
pub(crate) mod downloads;
pub(crate) mod failures;
pub(crate) mod hooks;
pub(crate) mod redirects;
pub(crate) mod requests;
pub(crate) mod responses;
pub(crate) mod tokens;
