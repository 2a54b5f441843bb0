//! From a driver's loop to the one who waits for outcomes.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

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
    /// Puts one in, or drops it if nobody will take it.
    pub(crate) fn put(&self, item: T) {
        if self.0.queue.push(item).is_ok() {
            self.0.receiver.wake();
        }
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
            thread::spawn(move || (0..500).for_each(|n| deliveries.put((thread, n))))
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
        deliveries.put(item.clone());
        drop(inbox);
        deliveries.put(item.clone());
        assert_eq!(Arc::strong_count(&item), 1);
    }
}
