//! The bound on attempts in flight and undelivered outcomes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;

/// The bound on attempts in flight and undelivered outcomes together: each holds one permit.
pub(super) struct AttemptPermits {
    /// The highest concurrency so far: permits are added, but never removed.
    concurrency: usize,
    is_waiting: bool,
    /// For the next attempt.
    next: Option<AttemptPermit>,
    pool: Arc<PermitPool>,
}

/// A permit, released when it is dropped, on any thread.
#[derive(Debug)]
pub(crate) struct AttemptPermit(Arc<PermitPool>);

/// The free permits. Only the driver takes them; any thread releases them.
#[derive(Debug)]
struct PermitPool {
    driver: AtomicWaker,
    free: AtomicUsize,
}

impl AttemptPermits {
    /// Permits for `concurrency` attempts in flight and `undelivered` outcomes besides.
    pub(super) fn new(concurrency: usize, undelivered: usize) -> Self {
        let mut permits = Self {
            concurrency,
            is_waiting: false,
            next: None,
            pool: Arc::new(PermitPool {
                driver: AtomicWaker::new(),
                free: AtomicUsize::new(concurrency + undelivered),
            }),
        };
        permits.refill();
        permits
    }

    /// Adds permits if `concurrency` is more than before.
    pub(super) fn raise_concurrency(&mut self, concurrency: usize) {
        let more = concurrency.saturating_sub(self.concurrency);
        self.concurrency += more;
        self.pool.release(more);
    }

    pub(super) fn take(&mut self) -> Option<AttemptPermit> {
        self.next.take()
    }

    /// Reserves a permit for the next attempt. Returns false if none is free; then
    /// [`AttemptPermits::poll`] waits for one.
    pub(super) fn refill(&mut self) -> bool {
        if self.next.is_none() && !self.is_waiting {
            self.next = self.pool.try_take();
            self.is_waiting = self.next.is_none();
        }
        self.next.is_some()
    }

    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_waiting {
            return Poll::Pending;
        }
        self.pool.driver.register(cx.waker());
        // Registered before the check, so that no release is missed.
        self.next = self.pool.try_take();
        if self.next.is_none() {
            return Poll::Pending;
        }
        self.is_waiting = false;
        Poll::Ready(())
    }
}

impl PermitPool {
    fn try_take(self: &Arc<Self>) -> Option<AttemptPermit> {
        let less = |free: usize| free.checked_sub(1);
        let taken = self
            .free
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        taken.is_ok().then(|| AttemptPermit(self.clone()))
    }

    fn release(&self, count: usize) {
        // The driver waits only if there was none.
        if self.free.fetch_add(count, Ordering::AcqRel) == 0 {
            self.driver.wake();
        }
    }
}

impl Drop for AttemptPermit {
    fn drop(&mut self) {
        self.0.release(1);
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_fn};

    use super::*;

    #[test]
    fn there_are_as_many_permits_as_were_created_and_added() {
        let mut permits = AttemptPermits::new(1, 1);
        let (first, second) = (permits.take(), permits.refill());
        assert!(first.is_some() && second);
        let second = permits.take();
        assert!(second.is_some() && !permits.refill());
        permits.raise_concurrency(2);
        block_on(poll_fn(|cx| permits.poll(cx)));
        assert!(permits.take().is_some());
    }

    #[test]
    fn the_driver_is_woken_by_a_release_on_another_thread() {
        let mut permits = AttemptPermits::new(1, 0);
        for _ in 0..1_000 {
            let permit = permits.take().unwrap();
            assert!(!permits.refill());
            let releasing = std::thread::spawn(move || drop(permit));
            block_on(poll_fn(|cx| permits.poll(cx)));
            releasing.join().unwrap();
        }
    }
}
