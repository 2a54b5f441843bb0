//! A request on the way to the engine.

#[cfg(feature = "cache")]
use std::sync::Arc;

#[cfg(feature = "cache")]
use crate::driver::cache::plan::CachePlan;
use crate::driver::outcomes::sender::OutcomeSender;
use crate::model::request::Request;

/// A request on the way to the engine.
pub(crate) struct FetchJob {
    /// What the cache does with it.
    #[cfg(feature = "cache")]
    pub(crate) cache: Option<Arc<CachePlan>>,
    /// The number of its batch, or one that no other fetch has.
    pub(crate) group: u64,
    pub(crate) request: Request,
    pub(crate) sender: OutcomeSender,
}
