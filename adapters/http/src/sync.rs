//! Locking.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex` also after a panic in another holder: every critical section leaves its data valid.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
