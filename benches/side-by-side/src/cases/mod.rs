//! The loads that are measured, and the clients that run them.

pub(crate) mod case;
pub(crate) mod client_kind;
pub(crate) mod load_kind;
