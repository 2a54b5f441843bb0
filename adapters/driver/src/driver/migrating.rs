//! A fetch on its way to another driver.

use super::active::Live;

/// A fetch on its way to another driver.
pub(crate) struct Passenger {
    pub(super) live: Live,
    /// Whether its group had ended before, and it was in flight then: such go on to their end.
    pub(super) survives: bool,
}
