//! Tokens: where they come from, and how several drivers share them.

pub(crate) mod shared;
pub(crate) mod signer;
pub(crate) mod source;
