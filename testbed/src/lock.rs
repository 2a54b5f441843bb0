//! Locks mutexes in spite of poisoning: their data is valid after every statement.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, also if another thread panicked while it held the lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
