//! Opening, choosing and reusing connections.

mod client_certificate;
mod connecting;
mod keep_alive;
mod proxy;
mod socks;
mod tls;
#[cfg(unix)]
mod unix;
mod unsent;
