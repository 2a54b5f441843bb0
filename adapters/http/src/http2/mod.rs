//! HTTP/2: many requests share one connection.
//!
//! The first connection to an origin whose protocol is unknown is opened by one request while the
//! others wait, so that a hundred requests do not open a hundred connections to a server that needs
//! one. The protocol that the server chose is remembered: requests to an HTTP/1.1 server no longer
//! wait.

mod body;
mod connecting;
mod error;
mod exchange;
mod frame_meter;
mod h2_pool;
mod handle;
mod idle_list;
mod lease;
mod origin_state;
mod request;
mod start;
mod task;
mod upload;

pub(crate) use body::H2Body;
pub(crate) use exchange::exchange;
pub(crate) use h2_pool::{ConnectGuard, H2Pool, StreamGrant, StreamWait};
pub(crate) use lease::StreamLease;
pub(crate) use start::start;
