//! A request on its way to the engine.

use super::delivery::Sink;
use crate::model::request::Request;

/// A request on its way to the engine.
pub(crate) struct Job {
    /// The batch it belongs to, or its own number.
    pub(crate) group: u64,
    pub(crate) request: Request,
    pub(crate) sink: Sink,
}
