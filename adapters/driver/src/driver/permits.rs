//! How many attempts may begin before somebody takes what has come.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_lock::futures::AcquireArc;
use async_lock::{Semaphore, SemaphoreGuardArc};

/// The bound on attempts in flight and outcomes that nobody has taken, together.
pub(super) struct Permits {
    semaphore: Arc<Semaphore>,
    /// For the next attempt.
    spare: Option<SemaphoreGuardArc>,
    waiting: Option<Pin<Box<AcquireArc>>>,
}

impl Permits {
    pub(super) fn new(count: usize) -> Self {
        let semaphore = Arc::new(Semaphore::new(count));
        let spare = semaphore.try_acquire_arc();
        Self {
            semaphore,
            spare,
            waiting: None,
        }
    }

    pub(super) fn add(&self, more: usize) {
        self.semaphore.add_permits(more);
    }

    pub(super) fn take(&mut self) -> Option<SemaphoreGuardArc> {
        self.spare.take()
    }

    /// Whether there is a permit for one more attempt; if not, [`Permits::poll`] waits for one.
    pub(super) fn refill(&mut self) -> bool {
        if self.spare.is_none() && self.waiting.is_none() {
            self.spare = self.semaphore.try_acquire_arc();
            if self.spare.is_none() {
                self.waiting = Some(Box::pin(self.semaphore.acquire_arc()));
            }
        }
        self.spare.is_some()
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(waiting) = &mut self.waiting else {
            return Poll::Pending;
        };
        let Poll::Ready(permit) = waiting.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        self.waiting = None;
        self.spare = Some(permit);
        Poll::Ready(())
    }
}
