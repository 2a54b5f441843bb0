//! What became of many fetches, in numbers.

pub(crate) mod batch;
pub(crate) mod histogram;
