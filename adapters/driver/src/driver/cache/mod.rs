//! The cache in a driver: asks the store before a request waits for the engine, adds validators to
//! attempts, keeps what they receive, and answers from it.

pub(crate) mod attempt;
mod flights;
mod front;
pub(crate) mod plan;
mod requests;
pub(crate) mod runner;
mod serve;
mod tasks;
