//! Content codings (RFC 9110, section 8.4), so that every adapter takes off the same ones in the same
//! way: which this build knows ([`accepted`], [`codings`]), and a body without them, never longer than
//! a limit ([`Decoding`]).
//!
//! A feature adds a coding: `brotli`, `gzip` (with `deflate`), `zstd`. Without any, bodies are only
//! bounded.

mod coding;
mod decoding;
#[cfg(feature = "gzip")]
mod inflate;

pub use coding::{Coding, accepted, codings};
pub use decoding::{Decoding, Fault};
