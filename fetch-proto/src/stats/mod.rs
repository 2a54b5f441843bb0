//! Statistics over many fetches.

pub(crate) mod batch;
pub(crate) mod histogram;
