//! The queue of outcomes from a driver to one consumer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use atomic_waker::AtomicWaker;
use concurrent_queue::ConcurrentQueue;

/// The driver's end of the queue. Cheap to clone: each request holds one.
#[derive(Debug)]
pub(crate) struct QueueSender<T>(Arc<QueueState<T>>);

/// The consumer's end of the queue. Dropping it drops all items, including later ones.
#[derive(Debug)]
pub(crate) struct QueueReceiver<T>(Arc<QueueState<T>>);

/// A queue for one receiver. Neither side ever waits for a lock.
#[derive(Debug)]
struct QueueState<T> {
    queue: ConcurrentQueue<T>,
    receiver: AtomicWaker,
}

/// The two ends of a new queue.
pub(crate) fn outcome_queue<T>() -> (QueueSender<T>, QueueReceiver<T>) {
    let state = Arc::new(QueueState {
        queue: ConcurrentQueue::unbounded(),
        receiver: AtomicWaker::new(),
    });
    (QueueSender(state.clone()), QueueReceiver(state))
}

impl<T> QueueSender<T> {
    /// Adds an item, or drops it if the receiver is gone. Returns the waker of the receiver, if it
    /// waits; the caller must wake it.
    #[must_use]
    pub(crate) fn push(&self, item: T) -> Option<Waker> {
        self.0.queue.push(item).ok()?;
        self.0.receiver.take()
    }

    /// The waker of the receiver, if it waits; the caller must wake it.
    #[must_use]
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        self.0.receiver.take()
    }
}

impl<T> Clone for QueueSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> QueueReceiver<T> {
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<T> {
        if let Ok(item) = self.0.queue.pop() {
            return Poll::Ready(item);
        }
        self.0.receiver.register(cx.waker());
        // An item may have come between the check and the registration.
        match self.0.queue.pop() {
            Ok(item) => Poll::Ready(item),
            Err(_) => Poll::Pending,
        }
    }

    pub(crate) async fn next(&self) -> T {
        poll_fn(|cx| self.poll_next(cx)).await
    }
}

impl<T> Drop for QueueReceiver<T> {
    fn drop(&mut self) {
        self.0.queue.close();
        while self.0.queue.pop().is_ok() {}
    }
}

/// Wakers of consumers with new outcomes. Each is woken once per driver turn, because a wake may cost
/// a system call. Dropping this wakes them.
#[derive(Debug, Default)]
pub(crate) struct PendingWakers(Vec<Waker>);

impl PendingWakers {
    pub(crate) fn add(&mut self, waker: Option<Waker>) {
        self.0.extend(waker);
    }

    pub(crate) fn wake_all(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

impl Drop for PendingWakers {
    fn drop(&mut self) {
        self.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use futures_lite::future::block_on;

    use super::*;

    #[test]
    fn items_of_many_threads_come_out_in_the_order_of_each_thread() {
        let (sender, receiver) = outcome_queue();
        let threads = (0..4).map(|thread| {
            let sender = sender.clone();
            thread::spawn(move || {
                for n in 0..500 {
                    let mut wakers = PendingWakers::default();
                    wakers.add(sender.push((thread, n)));
                }
            })
        });
        let threads: Vec<_> = threads.collect();
        let mut next = [0; 4];
        for _ in 0..2_000 {
            let (thread, n): (usize, i32) = block_on(receiver.next());
            assert_eq!(n, next[thread]);
            next[thread] += 1;
        }
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn items_are_dropped_at_once_without_a_receiver() {
        let (sender, receiver) = outcome_queue();
        let item = Arc::new(());
        assert!(sender.push(item.clone()).is_none());
        drop(receiver);
        assert!(sender.push(item.clone()).is_none());
        assert_eq!(Arc::strong_count(&item), 1);
    }

    #[test]
    fn a_waiting_receiver_is_woken_once_for_several_items() {
        let (sender, receiver) = outcome_queue();
        let cx = Context::from_waker(Waker::noop());
        assert!(receiver.poll_next(&cx).is_pending());
        assert!(sender.push(1).is_some());
        assert!(sender.push(2).is_none());
        assert!(receiver.poll_next(&cx).is_ready());
        assert!(receiver.poll_next(&cx).is_ready());
        assert!(receiver.poll_next(&cx).is_pending());
        assert!(sender.push(3).is_some());
    }
}
