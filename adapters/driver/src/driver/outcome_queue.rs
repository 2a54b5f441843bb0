//! From a driver's loop to the one who waits for outcomes.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use atomic_waker::AtomicWaker;
use concurrent_queue::ConcurrentQueue;

/// Where outcomes are put. Cheap to clone: each request has one.
#[derive(Debug)]
pub(crate) struct Deliveries<T>(Arc<Shared<T>>);

/// Takes them out. When it is gone nothing is kept any more.
#[derive(Debug)]
pub(crate) struct Inbox<T>(Arc<Shared<T>>);

/// A channel with one receiver: nobody waits for a lock.
#[derive(Debug)]
struct Shared<T> {
    queue: ConcurrentQueue<T>,
    receiver: AtomicWaker,
}

/// A way and its end.
pub(crate) fn deliveries<T>() -> (Deliveries<T>, Inbox<T>) {
    let shared = Arc::new(Shared {
        queue: ConcurrentQueue::unbounded(),
        receiver: AtomicWaker::new(),
    });
    (Deliveries(shared.clone()), Inbox(shared))
}

impl<T> Deliveries<T> {
    /// Puts one in, or drops it if nobody will take it. Gives whoever waits, and is now to be woken.
    #[must_use]
    pub(crate) fn put(&self, item: T) -> Option<Waker> {
        self.0.queue.push(item).ok()?;
        self.0.receiver.take()
    }
}

impl<T> Clone for Deliveries<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Inbox<T> {
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<T> {
        if let Ok(item) = self.0.queue.pop() {
            return Poll::Ready(item);
        }
        self.0.receiver.register(cx.waker());
        // One may have come between the look and the registration.
        match self.0.queue.pop() {
            Ok(item) => Poll::Ready(item),
            Err(_) => Poll::Pending,
        }
    }

    pub(crate) async fn next(&self) -> T {
        poll_fn(|cx| self.poll_next(cx)).await
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        self.0.queue.close();
        while self.0.queue.pop().is_ok() {}
    }
}

/// Those who wait for what was delivered, until they are woken: once for all that has come meanwhile, for
/// it may take a system call. Dropping it wakes them.
#[derive(Debug, Default)]
pub(crate) struct Readers(Vec<Waker>);

impl Readers {
    pub(crate) fn add(&mut self, reader: Option<Waker>) {
        self.0.extend(reader);
    }

    pub(crate) fn wake(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use futures_lite::future::block_on;

    use super::*;

    #[test]
    fn all_that_many_put_in_comes_out_in_each_ones_order() {
        let (deliveries, inbox) = deliveries();
        let threads = (0..4).map(|thread| {
            let deliveries = deliveries.clone();
            thread::spawn(move || {
                for n in 0..500 {
                    let mut readers = Readers::default();
                    readers.add(deliveries.put((thread, n)));
                }
            })
        });
        let threads: Vec<_> = threads.collect();
        let mut next = [0; 4];
        for _ in 0..2_000 {
            let (thread, n): (usize, i32) = block_on(inbox.next());
            assert_eq!(n, next[thread]);
            next[thread] += 1;
        }
        threads.into_iter().for_each(|one| one.join().unwrap());
    }

    #[test]
    fn what_nobody_will_take_is_dropped_at_once() {
        let (deliveries, inbox) = deliveries();
        let item = Arc::new(());
        assert!(deliveries.put(item.clone()).is_none());
        drop(inbox);
        assert!(deliveries.put(item.clone()).is_none());
        assert_eq!(Arc::strong_count(&item), 1);
    }

    #[test]
    fn whoever_waits_is_to_be_woken_once_for_all_that_comes() {
        let (deliveries, inbox) = deliveries();
        let cx = Context::from_waker(Waker::noop());
        assert!(inbox.poll_next(&cx).is_pending());
        assert!(deliveries.put(1).is_some());
        assert!(deliveries.put(2).is_none());
        assert!(inbox.poll_next(&cx).is_ready());
        assert!(inbox.poll_next(&cx).is_ready());
        assert!(inbox.poll_next(&cx).is_pending());
        assert!(deliveries.put(3).is_some());
    }
}
