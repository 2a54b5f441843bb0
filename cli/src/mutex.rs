//! Locking of mutexes.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks the mutex. A panic of another thread while it held the lock is ignored: the data behind
/// the mutexes of this crate is valid between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
