//! A fetch on the way to another driver.

use crate::driver::fetches::active::ActiveFetch;

/// A fetch on the way to another driver, because a redirect led to a host of that driver.
pub(crate) struct MigratingFetch {
    pub(crate) fetch: ActiveFetch,
    /// Whether it was in flight when its group was wound down, so that it continues.
    pub(crate) survives_cancel: bool,
}
