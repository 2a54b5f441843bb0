//! Which fetch starts an attempt, and what its end changes: queueing at a host, start, settlement.

pub(super) mod context;
mod membership;
pub(super) mod settle;
mod start;

pub(super) use start::{HeldStart, TurnResult};
