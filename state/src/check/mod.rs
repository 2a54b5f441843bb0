//! The check of a state, and its repair.

pub(crate) mod inspect;
pub(crate) mod repair;
