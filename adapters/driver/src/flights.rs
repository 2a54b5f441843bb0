//! The futures in flight, each with a place that can be looked up and emptied.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use atomic_waker::AtomicWaker;

/// A set of futures in numbered places, of which only those that were woken are polled.
///
/// Unlike `FuturesUnordered` a future can be dropped by its place, which is how an attempt is
/// aborted, and a place's allocation serves the next future.
pub(crate) struct Flights<F> {
    free: Vec<usize>,
    places: Vec<Place<F>>,
    /// The list being worked off; swapped with the shared one, so both keep their memory.
    woken: Vec<usize>,
    shared: Arc<Shared>,
}

struct Place<F> {
    future: Pin<Box<Option<F>>>,
    waker: Waker,
    signal: Arc<Signal>,
}

/// What wakers write to.
#[derive(Default)]
struct Shared {
    owner: AtomicWaker,
    woken: Mutex<Vec<usize>>,
}

/// One place's waker.
struct Signal {
    index: usize,
    shared: Arc<Shared>,
    /// Whether the place is in the list already.
    woken: AtomicBool,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.shared
                .woken
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(self.index);
            self.shared.owner.wake();
        }
    }
}

/// How a future that was polled stands.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Polled {
    /// It panicked, and was dropped.
    Panicked(String),
    /// It is done, and was dropped.
    Ready,
    /// It waits.
    Pending,
}

impl<F: Future<Output = ()>> Flights<F> {
    pub(crate) fn new() -> Self {
        Self {
            free: Vec::new(),
            places: Vec::new(),
            woken: Vec::new(),
            shared: Arc::default(),
        }
    }

    /// Adds a future; it is polled at the next turn. Tells its place.
    pub(crate) fn insert(&mut self, future: F) -> usize {
        let index = self.free.pop().unwrap_or_else(|| self.add_place());
        self.places[index].future.as_mut().set(Some(future));
        self.places[index].signal.wake_by_ref();
        index
    }

    fn add_place(&mut self) -> usize {
        let index = self.places.len();
        let shared = self.shared.clone();
        let signal = Arc::new(Signal {
            index,
            shared,
            woken: AtomicBool::new(false),
        });
        let waker = Waker::from(signal.clone());
        self.places.push(Place {
            future: Box::pin(None),
            waker,
            signal,
        });
        index
    }

    /// Drops the future in that place, if there is one.
    pub(crate) fn remove(&mut self, index: usize) {
        let place = &mut self.places[index];
        if place.future.is_some() {
            // A future whose destructor panics must not take the loop with it.
            let future = &mut place.future;
            let _ = catch_unwind(AssertUnwindSafe(|| future.as_mut().set(None)));
            self.free.push(index);
        }
    }

    /// The places that were woken, in order; `cx` is woken when there are more.
    pub(crate) fn poll_woken(&mut self, cx: &Context<'_>) -> Poll<Vec<usize>> {
        self.shared.owner.register(cx.waker());
        let mut shared = self
            .shared
            .woken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if shared.is_empty() {
            return Poll::Pending;
        }
        core::mem::swap(&mut *shared, &mut self.woken);
        Poll::Ready(core::mem::take(&mut self.woken))
    }

    /// Gives the emptied list of [`Flights::poll_woken`] back, for its memory.
    pub(crate) fn recycle(&mut self, mut list: Vec<usize>) {
        list.clear();
        self.woken = list;
    }

    /// Polls the future in that place.
    pub(crate) fn poll(&mut self, index: usize) -> Polled {
        let place = &mut self.places[index];
        place.signal.woken.store(false, Ordering::Release);
        let Some(future) = place.future.as_mut().as_pin_mut() else {
            return Polled::Pending;
        };
        let mut cx = Context::from_waker(&place.waker);
        let polled = catch_unwind(AssertUnwindSafe(|| future.poll(&mut cx)));
        let polled = match polled {
            Ok(Poll::Pending) => return Polled::Pending,
            Ok(Poll::Ready(())) => Polled::Ready,
            Err(panic) => Polled::Panicked(message(&*panic)),
        };
        self.remove(index);
        polled
    }
}

/// What a panic said.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, pending, poll_fn, yield_now};

    use super::*;

    type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn woken(flights: &mut Flights<Boxed>) -> Vec<usize> {
        block_on(poll_fn(|cx| flights.poll_woken(cx)))
    }

    #[test]
    fn only_woken_futures_are_polled_until_done() {
        let mut flights = Flights::new();
        let never: Boxed = Box::pin(pending());
        let soon: Boxed = Box::pin(yield_now());
        let (a, b) = (flights.insert(never), flights.insert(soon));
        assert_eq!(woken(&mut flights), [a, b]);
        assert_eq!(
            (flights.poll(a), flights.poll(b)),
            (Polled::Pending, Polled::Pending)
        );
        assert_eq!(woken(&mut flights), [b]);
        assert_eq!(flights.poll(b), Polled::Ready);
    }

    #[test]
    fn a_panic_is_told_and_its_place_is_free_again() {
        let mut flights: Flights<Boxed> = Flights::new();
        let index = flights.insert(Box::pin(async { panic!("broken") }));
        assert_eq!(woken(&mut flights), [index]);
        assert_eq!(flights.poll(index), Polled::Panicked("broken".to_owned()));
        assert_eq!(flights.insert(Box::pin(async {})), index);
    }

    #[test]
    fn a_removed_future_is_dropped_at_once() {
        struct Bomb(Arc<AtomicBool>);
        impl Drop for Bomb {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let dropped = Arc::new(AtomicBool::new(false));
        let bomb = Bomb(dropped.clone());
        let mut flights: Flights<Boxed> = Flights::new();
        let index = flights.insert(Box::pin(async move {
            let _bomb = bomb;
            pending::<()>().await;
        }));
        flights.remove(index);
        assert!(dropped.load(Ordering::SeqCst));
    }
}
