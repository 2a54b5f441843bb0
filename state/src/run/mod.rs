//! What a run does: it reads the history of earlier runs, claims requests, and commits those that are completed.

pub(crate) mod body_log;
pub(crate) mod history;
pub(crate) mod ledger;
pub(crate) mod merge;
pub(crate) mod records;
pub(crate) mod writer;
