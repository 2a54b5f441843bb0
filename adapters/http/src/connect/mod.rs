//! The parts of opening a connection: route, names, address race, TLS, tunnels.

pub(crate) mod addresses;
#[cfg(feature = "tls")]
mod any_certificate;
pub(crate) mod dns;
pub(crate) mod exhaustion;
#[cfg(feature = "platform-verifier")]
pub(crate) mod platform_verifier;
pub(crate) mod private_addresses;
pub(crate) mod race;
pub(crate) mod route;
pub(crate) mod settling;
#[cfg(feature = "tls")]
pub(crate) mod tls;
pub(crate) mod tunnel;
pub(crate) mod verdicts;
