//! HTTP/2: many requests share one connection.
//!
//! The first connection to an origin whose protocol is unknown is opened by one request while the
//! others wait, so that a hundred requests do not open a hundred connections to a server that needs
//! one. The protocol that the server chose is remembered: requests to an HTTP/1.1 server no longer
//! wait.

mod connecting;
mod error;
mod frame_meter;
mod h2_pool;
mod handle;
mod idle_list;
mod lease;
mod message;
mod origin_state;
mod start;
mod task;
mod upload;

pub(crate) use h2_pool::{ConnectGuard, H2Pool, StreamGrant, StreamWait};
pub(crate) use lease::StreamLease;
pub(crate) use message::body::H2Body;
pub(crate) use message::exchange::exchange;
pub(crate) use start::start;
