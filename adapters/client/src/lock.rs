//! Locking without lock poisoning.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, even if another holder panicked. Use it only for values that no panic leaves
/// inconsistent.
///
/// ```
/// let counter = std::sync::Mutex::new(1);
/// *fetch_transport_util::lock(&counter) += 1;
/// assert_eq!(*fetch_transport_util::lock(&counter), 2);
/// ```
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
