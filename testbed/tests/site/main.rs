//! The test site over HTTP, mostly with a minimal blocking client.

mod client;
mod endpoints;
mod faults;
mod http2;
mod observations;
mod settings;
mod tls;
