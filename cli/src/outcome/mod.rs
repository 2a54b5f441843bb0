//! How fetches ended: classes, errors, and tallies over all of them.

pub(crate) mod checksum;
pub(crate) mod class;
pub(crate) mod error_type;
pub(crate) mod errors;
pub(crate) mod hosts;
pub(crate) mod kind;
pub(crate) mod recorded_body;
pub(crate) mod result;
pub(crate) mod row;
pub(crate) mod saved_body;
pub(crate) mod tally;
