//! How a fetch ended, and the tallies of how they all did.

pub(crate) mod checksum;
pub(crate) mod error_type;
pub(crate) mod errors;
pub(crate) mod hosts;
pub(crate) mod item;
pub(crate) mod origin;
pub(crate) mod result;
pub(crate) mod saved_body;
pub(crate) mod tally;
pub(crate) mod verdict;
