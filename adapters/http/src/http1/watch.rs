//! What an idle connection wakes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Wake;

use crate::idle::Slot;
use crate::pool::Pool;

/// Is woken when something happens on an idle connection, and lets the pool look at it.
pub(crate) struct Watch {
    /// Where the pool keeps the connection while it is idle; written under the pool's lock only.
    pub(crate) slot: Slot,
    pool: Weak<Pool>,
    woken: AtomicBool,
}

impl Watch {
    pub(super) fn new(pool: &Arc<Pool>) -> Self {
        Self {
            pool: Arc::downgrade(pool),
            slot: Slot::default(),
            woken: AtomicBool::new(false),
        }
    }

    /// Whether something happened since the last call.
    pub(crate) fn was_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire) && self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Some reactors wake who is replaced: then a request has the connection already.
        if self.slot.is_empty() || self.woken.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(pool) = self.pool.upgrade() {
            pool.suspect(self.clone());
        }
    }
}
