//! How several drivers share the limits over all hosts.

pub(crate) mod concurrency;
pub(crate) mod divided;
pub(crate) mod limits;
pub(crate) mod surplus;
