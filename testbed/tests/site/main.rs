//! The site as a plain blocking client sees it.

mod behaves;
mod client;
mod http2;
mod misbehaves;
mod observes;
mod settings;
mod tls;
