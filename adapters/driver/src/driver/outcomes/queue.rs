//! The queue of outcomes from a driver to one consumer.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::lock::lock;

/// The driver's end of the queue. Cheap to clone: each request holds one.
#[derive(Debug)]
pub(crate) struct QueueSender<T>(Arc<Mutex<QueueState<T>>>);

/// The consumer's end of the queue. Dropping it drops all items, including later ones.
#[derive(Debug)]
pub(crate) struct QueueReceiver<T> {
    shared: Arc<Mutex<QueueState<T>>>,
    /// Items taken from the queue and not yet returned. All that are queued are taken at once, so the
    /// lock is taken once per turn of the driver and not once per item.
    taken: VecDeque<T>,
}

#[derive(Debug)]
struct QueueState<T> {
    is_closed: bool,
    items: VecDeque<T>,
    receiver: Option<Waker>,
}

/// The two ends of a new queue.
pub(crate) fn outcome_queue<T>() -> (QueueSender<T>, QueueReceiver<T>) {
    let shared = Arc::new(Mutex::new(QueueState {
        is_closed: false,
        items: VecDeque::new(),
        receiver: None,
    }));
    let sender = QueueSender(shared.clone());
    let taken = VecDeque::new();
    (sender, QueueReceiver { shared, taken })
}

impl<T> QueueSender<T> {
    /// Adds an item, or drops it if the receiver is gone. Returns the waker of the receiver, if it
    /// waits; the caller must wake it.
    #[must_use]
    pub(crate) fn push(&self, item: T) -> Option<Waker> {
        let mut state = lock(&self.0);
        if state.is_closed {
            // The item may have a destructor that uses the queue.
            drop(state);
            return None;
        }
        state.items.push_back(item);
        state.receiver.take()
    }

    /// The waker of the receiver, if it waits; the caller must wake it.
    #[must_use]
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        lock(&self.0).receiver.take()
    }
}

impl<T> Clone for QueueSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> QueueReceiver<T> {
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<T> {
        if self.taken.is_empty() {
            let mut state = lock(&self.shared);
            if state.items.is_empty() {
                match &mut state.receiver {
                    Some(waker) => waker.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                return Poll::Pending;
            }
            mem::swap(&mut state.items, &mut self.taken);
        }
        self.taken.pop_front().map_or(Poll::Pending, Poll::Ready)
    }

    pub(crate) async fn next(&mut self) -> T {
        poll_fn(|cx| self.poll_next(cx)).await
    }
}

impl<T> Drop for QueueReceiver<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.is_closed = true;
        let items = mem::take(&mut state.items);
        drop(state);
        drop(items);
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
        let (sender, mut receiver) = outcome_queue();
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
        let (sender, mut receiver) = outcome_queue();
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
