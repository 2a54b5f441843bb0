//! The transport against real sockets on loopback.

mod bodies;
mod client;
mod client_certificate;
mod connecting;
mod decoding;
mod failures;
mod floods;
mod h2_server;
mod http1_required;
mod http2;
mod keep_alive;
mod proxy;
mod raw;
mod socks;
mod tls;
#[cfg(unix)]
mod unix;
mod unsent;
