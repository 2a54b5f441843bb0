//! Requests, responses, outcomes and errors.

pub(crate) mod attachment;
pub(crate) mod error;
pub(crate) mod fallback_value;
pub(crate) mod hook;
pub(crate) mod outcome;
pub(crate) mod redirect_check;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod save;
#[cfg(feature = "multipart")]
pub(crate) mod upload;
