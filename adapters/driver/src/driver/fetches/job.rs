//! A request on the way to the engine.

use crate::driver::outcomes::sender::OutcomeSender;
use crate::model::request::Request;

/// A request on the way to the engine.
pub(crate) struct FetchJob {
    /// The number of its batch, or one that no other fetch has.
    pub(crate) group: u64,
    pub(crate) request: Request,
    pub(crate) sender: OutcomeSender,
}
