//! How many attempts may begin before somebody takes what has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;

/// The bound on attempts in flight and outcomes that nobody has taken, together.
pub(super) struct Permits {
    is_waiting: bool,
    shared: Arc<Shared>,
    /// For the next attempt.
    spare: Option<Permit>,
}

/// One of those; given back when it is dropped, on whatever thread.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Shared>);

/// Only the driver takes, so nobody waits for anybody.
#[derive(Debug)]
struct Shared {
    driver: AtomicWaker,
    free: AtomicUsize,
}

impl Permits {
    pub(super) fn new(count: usize) -> Self {
        let mut this = Self {
            is_waiting: false,
            shared: Arc::new(Shared {
                driver: AtomicWaker::new(),
                free: AtomicUsize::new(count),
            }),
            spare: None,
        };
        this.refill();
        this
    }

    pub(super) fn add(&self, more: usize) {
        self.shared.give(more);
    }

    pub(super) fn take(&mut self) -> Option<Permit> {
        self.spare.take()
    }

    /// Whether there is a permit for one more attempt; if not, [`Permits::poll`] waits for one.
    pub(super) fn refill(&mut self) -> bool {
        if self.spare.is_none() && !self.is_waiting {
            self.spare = self.shared.try_take();
            self.is_waiting = self.spare.is_none();
        }
        self.spare.is_some()
    }

    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_waiting {
            return Poll::Pending;
        }
        self.shared.driver.register(cx.waker());
        // Registering before looking, so that nothing is missed.
        self.spare = self.shared.try_take();
        if self.spare.is_none() {
            return Poll::Pending;
        }
        self.is_waiting = false;
        Poll::Ready(())
    }
}

impl Shared {
    fn try_take(self: &Arc<Self>) -> Option<Permit> {
        let less = |free: usize| free.checked_sub(1);
        let taken = self
            .free
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        taken.is_ok().then(|| Permit(self.clone()))
    }

    fn give(&self, count: usize) {
        // Only where there was none does the driver wait.
        if self.free.fetch_add(count, Ordering::AcqRel) == 0 {
            self.driver.wake();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.give(1);
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_fn};

    use super::*;

    #[test]
    fn there_are_as_many_as_were_made_and_added() {
        let mut permits = Permits::new(2);
        let (first, second) = (permits.take(), permits.refill());
        assert!(first.is_some() && second);
        let second = permits.take();
        assert!(second.is_some() && !permits.refill());
        permits.add(1);
        block_on(poll_fn(|cx| permits.poll(cx)));
        assert!(permits.take().is_some());
    }

    #[test]
    fn who_waits_is_woken_by_whichever_is_given_back() {
        let mut permits = Permits::new(1);
        for _ in 0..1_000 {
            let permit = permits.take().unwrap();
            assert!(!permits.refill());
            let giving = std::thread::spawn(move || drop(permit));
            block_on(poll_fn(|cx| permits.poll(cx)));
            giving.join().unwrap();
        }
    }
}
