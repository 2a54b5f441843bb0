//! The version of the program.

/// The version, and the commit if it is known.
pub(crate) const SHORT: &str = env!("COMMAND_VERSION");

/// The version with protocols and features.
pub(crate) const LONG: &str = concat!(
    env!("COMMAND_VERSION"),
    "\nprotocols: HTTP/1.1, HTTP/2; TLS by rustls; HTTP and SOCKS proxies",
    "\nfeatures: brotli, gzip, zstd; cookies, netrc; csv, har, jsonl, parquet, tar, warc",
    "\nlicense: MIT OR Apache-2.0",
);
