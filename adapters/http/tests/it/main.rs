//! The transport against real sockets on loopback.

mod bodies;
mod client;
mod connections;
mod decoding;
mod expect;
mod failures;
mod floods;
mod h2_server;
mod http1_required;
mod http2;
mod raw;
