//! The file format: frames, entries, packed URLs and the digest of the answers.

mod canonical;
pub(crate) mod digest;
pub(crate) mod entry;
pub(crate) mod frame;
pub(crate) mod url_packing;
