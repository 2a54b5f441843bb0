//! How outcomes reach the caller.

pub(crate) mod fallback;
pub(crate) mod queue;
pub(crate) mod sender;
