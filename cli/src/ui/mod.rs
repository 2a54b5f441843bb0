//! The user interface of a run: progress, reports, metrics and signals.

pub(crate) mod counts;
pub(crate) mod eta;
pub(crate) mod host_waits;
pub(crate) mod long_downloads;
pub(crate) mod monitor;
pub(crate) mod progress;
pub(crate) mod redirect_notes;
pub(crate) mod report;
pub(crate) mod screen;
pub(crate) mod signals;
pub(crate) mod summary;
