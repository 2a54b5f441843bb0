//! Admission of attempts: queueing at a host, start, and settlement after the end.

pub(super) mod context;
mod membership;
mod outage;
pub(super) mod settle;
mod start;

pub use outage::{WaitReason, WaitingHost};
pub(super) use start::{HeldStart, TurnResult};
