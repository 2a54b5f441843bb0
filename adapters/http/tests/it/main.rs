//! The transport against real sockets on loopback.

mod bodies;
mod client;
mod connecting;
mod decoding;
mod failures;
mod keep_alive;
mod raw;
mod tls;
mod unsent;
