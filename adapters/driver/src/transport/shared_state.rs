//! State that the transports of one fetcher share.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// One value that the transports on a fetcher's threads share, such as the bound on open connections.
/// Clones refer to the same value; each fetcher has its own.
///
/// ```
/// use fetch_driver::SharedState;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let shared = SharedState::default();
/// let first = shared.get_or_init(|| AtomicUsize::new(3));
/// let second = shared.clone().get_or_init(|| AtomicUsize::new(9));
/// first.store(5, Ordering::Relaxed);
/// assert_eq!(second.load(Ordering::Relaxed), 5);
/// ```
#[derive(Clone, Default)]
pub struct SharedState(Arc<OnceLock<Arc<dyn Any + Send + Sync>>>);

impl SharedState {
    /// The shared value, created by the first call. A call with another type than the first gets a
    /// separate value.
    ///
    /// ```
    /// let shared = fetch_driver::SharedState::default();
    /// assert_eq!(*shared.get_or_init(|| 7), 7);
    /// assert_eq!(*shared.get_or_init(|| "another type"), "another type");
    /// ```
    pub fn get_or_init<T: Send + Sync + 'static>(&self, init: impl Fn() -> T) -> Arc<T> {
        let first = self.0.get_or_init(|| Arc::new(init())).clone();
        first.downcast().unwrap_or_else(|_| Arc::new(init()))
    }
}

impl fmt::Debug for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedState").finish_non_exhaustive()
    }
}
