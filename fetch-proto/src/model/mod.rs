//! Plain data used by all other modules: time, identifiers, inputs, results, events.

pub(crate) mod attempt;
pub(crate) mod credentials;
pub(crate) mod download;
pub(crate) mod event;
pub(crate) mod failure;
pub(crate) mod fault;
pub(crate) mod id;
pub(crate) mod method;
pub(crate) mod outcome;
pub(crate) mod resume;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod timings;
pub(crate) mod token;
pub(crate) mod url_parts;
pub(crate) mod verdict;
pub(crate) mod wake;
