//! Mutexes that nobody gives up: what is in them is whole even where somebody panicked with one held.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks it. Only for what is whole between any two statements of whoever holds it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
