//! Idle connections that need a check before their timeout.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Wake;

use event_listener::{Event, EventListener};

use fetch_transport_util::lock;

/// The connections that the sweeper task of a pool has to check.
#[derive(Default)]
pub(crate) struct SweepQueue {
    /// Watchers of idle connections that became readable.
    readable: Mutex<Vec<Arc<IdleWatcher>>>,
    requested: Event,
    running: AtomicBool,
}

impl SweepQueue {
    /// Requests a check of a connection that became readable while it was idle.
    fn mark_readable(&self, watcher: Arc<IdleWatcher>) {
        lock(&self.readable).push(watcher);
        self.request_sweep();
    }

    pub(super) fn take_readable(&self) -> Vec<Arc<IdleWatcher>> {
        mem::take(&mut *lock(&self.readable))
    }

    /// Wakes the sweeper earlier than planned.
    pub(super) fn request_sweep(&self) {
        self.requested.notify(1);
    }

    /// Resolves when a sweep is requested.
    pub(super) fn sweep_requested(&self) -> EventListener {
        self.requested.listen()
    }

    /// Claims the sweeper. True if none was running: the caller must then start one.
    pub(super) fn claim(&self) -> bool {
        !self.running.load(Ordering::Acquire) && !self.running.swap(true, Ordering::AcqRel)
    }

    /// Releases the claim of a sweeper that is about to end.
    pub(super) fn release(&self) {
        self.running.store(false, Ordering::Release);
    }
}

/// The waker of an idle connection. It queues the connection for a check.
pub(crate) struct IdleWatcher {
    /// Where the pool stores the connection while it is idle.
    pub(super) slot: IdleSlot,
    queue: Weak<SweepQueue>,
    woken: AtomicBool,
}

impl IdleWatcher {
    pub(crate) fn new(queue: &Arc<SweepQueue>) -> Self {
        Self {
            queue: Arc::downgrade(queue),
            slot: IdleSlot::default(),
            woken: AtomicBool::new(false),
        }
    }

    /// Whether the connection became readable since the last call.
    pub(super) fn take_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire) && self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for IdleWatcher {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Some reactors wake a waker that is replaced: then a request uses the connection.
        if self.slot.is_empty() || self.woken.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(queue) = self.queue.upgrade() {
            queue.mark_readable(self.clone());
        }
    }
}

/// No slot.
pub(super) const NO_SLOT: usize = usize::MAX;

/// The index of an idle connection in its pool. Written only under the pool's lock.
pub(super) struct IdleSlot(AtomicUsize);

impl Default for IdleSlot {
    fn default() -> Self {
        Self(AtomicUsize::new(NO_SLOT))
    }
}

impl IdleSlot {
    fn is_empty(&self) -> bool {
        self.load() == NO_SLOT
    }

    pub(super) fn load(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn store(&self, index: usize) {
        self.0.store(index, Ordering::Relaxed);
    }

    pub(super) fn clear(&self) {
        self.store(NO_SLOT);
    }
}
