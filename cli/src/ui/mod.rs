//! Progress, reports, metrics and signals: what people see of a run, and how they stop it.

pub(crate) mod counts;
pub(crate) mod eta;
pub(crate) mod monitor;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod screen;
pub(crate) mod signals;
pub(crate) mod summary;
