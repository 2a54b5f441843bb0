//! A request and its response on a stream.

pub(super) mod body;
pub(super) mod exchange;
mod request;
