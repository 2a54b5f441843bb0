//! Requests and their outcomes.

pub(crate) mod error;
pub(crate) mod fallback_value;
pub(crate) mod outcome;
pub(crate) mod request;
pub(crate) mod save;
