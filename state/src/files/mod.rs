//! The files in the directory of a state, and their formats.

pub(crate) mod archive;
pub(crate) mod entry;
pub(crate) mod journal;
pub(crate) mod lock;
pub(crate) mod manifest;
pub(crate) mod segment;
