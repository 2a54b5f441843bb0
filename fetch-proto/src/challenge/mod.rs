//! Challenges of servers, and what answers them. Nothing is hashed: a driver passes its hash functions
//! in.

pub(crate) mod answer;
pub(crate) mod digest;
pub(crate) mod parse;
