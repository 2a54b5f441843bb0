//! What the transports of one fetcher have in common.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// One thing that the transports of a fetcher's threads share, such as the connections they may have
/// open together. Clones are the same; each fetcher that is built has another.
///
/// ```
/// use fetch_driver::InCommon;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let common = InCommon::default();
/// let one = common.get_or_init(|| AtomicUsize::new(3));
/// let other = common.clone().get_or_init(|| AtomicUsize::new(9));
/// one.store(5, Ordering::Relaxed);
/// assert_eq!(other.load(Ordering::Relaxed), 5);
/// ```
#[derive(Clone, Default)]
pub struct InCommon(Arc<OnceLock<Arc<dyn Any + Send + Sync>>>);

impl InCommon {
    /// What is shared, made by the first who asks. Who asks for another type than the first gets one
    /// alone.
    ///
    /// ```
    /// let common = fetch_driver::InCommon::default();
    /// assert_eq!(*common.get_or_init(|| 7), 7);
    /// assert_eq!(*common.get_or_init(|| "another type"), "another type");
    /// ```
    pub fn get_or_init<T: Send + Sync + 'static>(&self, init: impl Fn() -> T) -> Arc<T> {
        let first = self.0.get_or_init(|| Arc::new(init())).clone();
        first.downcast().unwrap_or_else(|_| Arc::new(init()))
    }
}

impl fmt::Debug for InCommon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InCommon").finish_non_exhaustive()
    }
}
