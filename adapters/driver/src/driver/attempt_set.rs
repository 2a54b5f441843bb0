//! The futures in flight, each with a place that can be looked up and emptied.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use atomic_waker::AtomicWaker;

/// A set of futures in numbered places, of which only those that were woken are polled.
///
/// Unlike `FuturesUnordered` a future can be dropped by its place, which is how an attempt is
/// aborted, and a place's allocation serves the next future.
pub(crate) struct Flights<F> {
    free: Vec<usize>,
    places: Vec<Place<F>>,
    shared: Arc<Shared>,
    /// Memory for the list of those that were woken.
    woken: Vec<usize>,
}

struct Place<F> {
    future: Pin<Box<Option<F>>>,
    waker: Waker,
    signal: Arc<Signal>,
}

/// What wakers write to: a list of the places that were woken, each of which names the one before. It is
/// only ever taken as a whole, so a place is in it once and nobody waits for anybody.
#[derive(Default)]
struct Shared {
    /// The place that was woken last, as a link.
    last: AtomicUsize,
    owner: AtomicWaker,
}

/// One place's waker.
struct Signal {
    /// The place that was woken before this one, as a link; while this one is in the list.
    before: AtomicUsize,
    index: usize,
    shared: Arc<Shared>,
    /// Whether the place is in the list already.
    woken: AtomicBool,
}

/// A link to no place. Else it is a place's index and one.
const END: usize = 0;

impl Signal {
    /// Enters the place into the list; tells whether it is the first one there.
    fn enter(&self) -> bool {
        if self.woken.swap(true, Ordering::AcqRel) {
            return false;
        }
        let enter = |last: usize| {
            self.before.store(last, Ordering::Relaxed);
            Some(self.index + 1)
        };
        let last = &self.shared.last;
        last.fetch_update(Ordering::AcqRel, Ordering::Relaxed, enter) == Ok(END)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Who found the list empty wakes the owner for all that come before it is taken.
        if self.enter() {
            self.shared.owner.wake();
        }
    }
}

/// What is polled like a future, but tells more than its end: `news` is the owner's, so nothing has to be
/// shared for it.
pub(crate) trait Flying {
    type News;

    fn poll(self: Pin<&mut Self>, news: &mut Self::News, cx: &mut Context<'_>) -> Poll<()>;
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

impl<F: Flying> Flights<F> {
    pub(crate) fn new() -> Self {
        Self {
            free: Vec::new(),
            places: Vec::new(),
            shared: Arc::default(),
            woken: Vec::new(),
        }
    }

    /// Adds a future; it is among those woken when the owner, who is not waiting now, next asks. Tells its
    /// place.
    pub(crate) fn insert(&mut self, future: F) -> usize {
        let index = self.free.pop().unwrap_or_else(|| self.add_place());
        self.places[index].future.as_mut().set(Some(future));
        self.wake(index);
        index
    }

    fn add_place(&mut self) -> usize {
        let index = self.places.len();
        let shared = self.shared.clone();
        let signal = Arc::new(Signal {
            before: AtomicUsize::new(END),
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

    /// The future in that place.
    pub(crate) fn get(&mut self, index: usize) -> Option<Pin<&mut F>> {
        self.places[index].future.as_mut().as_pin_mut()
    }

    /// Has the future in that place polled, as at [`Flights::insert`].
    pub(crate) fn wake(&self, index: usize) {
        self.places[index].signal.enter();
    }

    /// The places that were woken, in order; `cx` is woken when there are more.
    pub(crate) fn poll_woken(&mut self, cx: &Context<'_>) -> Poll<Vec<usize>> {
        let mut list = core::mem::take(&mut self.woken);
        self.take_woken(&mut list);
        if list.is_empty() {
            self.shared.owner.register(cx.waker());
            // One may have come between the look and the registration.
            self.take_woken(&mut list);
        }
        if list.is_empty() {
            self.woken = list;
            return Poll::Pending;
        }
        Poll::Ready(list)
    }

    fn take_woken(&self, list: &mut Vec<usize>) {
        let mut link = self.shared.last.swap(END, Ordering::AcqRel);
        while link != END {
            list.push(link - 1);
            // It is not entered anew before it is polled.
            link = self.places[link - 1].signal.before.load(Ordering::Relaxed);
        }
        list.reverse();
    }

    /// Gives the emptied list of [`Flights::poll_woken`] back, for its memory.
    pub(crate) fn recycle(&mut self, mut list: Vec<usize>) {
        list.clear();
        self.woken = list;
    }

    /// Polls the future in that place.
    pub(crate) fn poll(&mut self, index: usize, news: &mut F::News) -> Polled {
        let place = &mut self.places[index];
        // Not just stored: what was done before a wake-up that found it set is seen by this poll.
        place.signal.woken.swap(false, Ordering::AcqRel);
        let Some(future) = place.future.as_mut().as_pin_mut() else {
            return Polled::Pending;
        };
        let mut cx = Context::from_waker(&place.waker);
        let polled = catch_unwind(AssertUnwindSafe(|| future.poll(news, &mut cx)));
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

    impl Flying for Boxed {
        type News = ();

        fn poll(self: Pin<&mut Self>, (): &mut (), cx: &mut Context<'_>) -> Poll<()> {
            Future::poll(self, cx)
        }
    }

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
            (flights.poll(a, &mut ()), flights.poll(b, &mut ())),
            (Polled::Pending, Polled::Pending)
        );
        assert_eq!(woken(&mut flights), [b]);
        assert_eq!(flights.poll(b, &mut ()), Polled::Ready);
    }

    #[test]
    fn none_of_those_woken_by_many_threads_is_lost() {
        const PLACES: usize = 20;
        let mut flights: Flights<Boxed> = Flights::new();
        for _ in 0..PLACES {
            flights.insert(Box::pin(pending()));
        }
        let places = flights.places.iter();
        let wakers: Vec<_> = places.map(|place| place.waker.clone()).collect();
        for _ in 0..200 {
            // Each place is woken by one thread of four, and all by the fifth.
            let threads = (0..5).map(|thread| {
                let mine = move |(i, _): &(usize, &Waker)| thread == 4 || i % 4 == thread;
                let wakers = wakers.clone();
                std::thread::spawn(move || {
                    let wakers = wakers.iter().enumerate().filter(mine);
                    wakers.for_each(|(_, waker)| waker.wake_by_ref());
                })
            });
            let threads: Vec<_> = threads.collect();
            // A lost one would be waited for without an end.
            let mut polled = [0; PLACES];
            while polled.contains(&0) {
                let list = woken(&mut flights);
                for index in &list {
                    polled[*index] += 1;
                    flights.poll(*index, &mut ());
                }
                flights.recycle(list);
            }
            for thread in threads {
                thread.join().unwrap();
            }
            let mut rest = Vec::new();
            flights.take_woken(&mut rest);
            for index in rest {
                polled[index] += 1;
                flights.poll(index, &mut ());
            }
            // Never more often than woken; the first round has those that were just inserted as well.
            assert!(polled.iter().all(|polls| *polls <= 3), "{polled:?}");
        }
    }

    #[test]
    fn a_panic_is_told_and_its_place_is_free_again() {
        let mut flights: Flights<Boxed> = Flights::new();
        let index = flights.insert(Box::pin(async { panic!("broken") }));
        assert_eq!(woken(&mut flights), [index]);
        let polled = flights.poll(index, &mut ());
        assert_eq!(polled, Polled::Panicked("broken".to_owned()));
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
