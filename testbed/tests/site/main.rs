//! The site as a plain blocking client sees it.

mod client;
mod endpoints;
mod faults;
mod http2;
mod observations;
mod settings;
mod tls;
