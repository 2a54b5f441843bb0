//! Admission of attempts: queueing at a host, start, and settlement after the end.

pub(super) mod context;
mod membership;
pub(super) mod settle;
mod start;

pub(super) use start::{HeldStart, TurnResult};
