//! New connections: from a URL to a stream that speaks HTTP.

mod acquire;
pub(crate) mod connector;
mod dial;
pub(crate) mod dns;
pub(crate) mod exhaustion;
pub(crate) mod open;
mod race;
pub(crate) mod route;
#[cfg(feature = "socks")]
mod socks;
#[cfg(feature = "tls")]
pub(crate) mod tls;
mod tunnel;
