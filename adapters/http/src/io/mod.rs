//! Streams and runtimes: what the transport needs of the system, and how it reads and writes.

pub(crate) mod byte_stream;
#[cfg(feature = "http2")]
pub(crate) mod hyper;
pub(crate) mod local;
#[cfg(all(feature = "async-io", target_os = "linux"))]
pub(crate) mod reactor;
pub(crate) mod runtime;
#[cfg(feature = "async-io")]
pub(crate) mod socket;
#[cfg(feature = "tls")]
pub(crate) mod tls_stream;
