//! HTTP/2: many requests share one connection.
//!
//! The first connection to an origin whose protocol nobody knows is opened by one request while the
//! others wait, so that a hundred requests do not open a hundred connections to a server that wants
//! one. What the server chose is remembered: one that speaks HTTP/1.1 is never waited for again.

mod body;
mod checkout;
mod error;
mod exchange;
mod flight;
mod group;
mod groups;
mod lease;
mod link;
mod outgoing;
mod start;
mod task;
mod upload;

pub(crate) use body::Body;
pub(crate) use flight::Flying;
pub(crate) use groups::Groups;
pub(crate) use lease::Lease;
