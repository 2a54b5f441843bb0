//! The semaphore against a model, and among threads that give up waiting.
//!
//! The model is a queue and a number. Whoever waits is polled only after its waker was called, as on
//! an executor, so that a wake-up that is lost shows.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fetch_driver::sync::{AcquireArc, PermitArc, Semaphore};
use futures_lite::future;
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One who waits, and whether its last waker was called.
struct Waiter {
    acquire: AcquireArc,
    woken: Arc<Flag>,
}

impl Waiter {
    /// Polls with a new waker: only the last one has to be called.
    fn poll(&mut self) -> Option<PermitArc> {
        self.woken = Arc::default();
        let waker = Waker::from(self.woken.clone());
        match Pin::new(&mut self.acquire).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(permit) => Some(permit),
            Poll::Pending => None,
        }
    }

    fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::SeqCst)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Acquire,
    Add(usize),
    /// Drops one of those who wait, whether or not it was just given a permit.
    Cancel(Index),
    Forget(Index),
    /// Polls one of those who wait though nobody woke it, as `select!` does.
    Poll(Index),
    Release(Index),
    Try,
    /// Polls all who were woken.
    Turn,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        4 => Just(Step::Acquire),
        1 => (0_usize..3).prop_map(Step::Add),
        3 => index().prop_map(Step::Cancel),
        1 => index().prop_map(Step::Forget),
        2 => index().prop_map(Step::Poll),
        4 => index().prop_map(Step::Release),
        1 => Just(Step::Try),
        2 => Just(Step::Turn),
    ]
}

struct Model {
    held: Vec<PermitArc>,
    permits: usize,
    semaphore: Arc<Semaphore>,
    waiting: Vec<Waiter>,
}

impl Model {
    fn new(permits: usize) -> Self {
        Self {
            held: Vec::new(),
            permits,
            semaphore: Arc::new(Semaphore::new(permits)),
            waiting: Vec::new(),
        }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Acquire => {
                self.waiting.push(Waiter {
                    acquire: self.semaphore.acquire_arc(),
                    woken: Arc::default(),
                });
                self.poll(self.waiting.len() - 1);
            }
            Step::Add(count) => {
                self.permits += count;
                self.semaphore.add_permits(*count);
            }
            Step::Cancel(index) if !self.waiting.is_empty() => {
                self.waiting.remove(index.index(self.waiting.len()));
            }
            Step::Forget(index) if !self.held.is_empty() => {
                self.held.remove(index.index(self.held.len())).forget();
                self.permits -= 1;
            }
            Step::Poll(index) if !self.waiting.is_empty() => {
                let place = index.index(self.waiting.len());
                let woken = self.waiting[place].is_woken();
                assert_eq!(
                    self.poll(place),
                    woken,
                    "a permit and its wake-up come together"
                );
            }
            Step::Release(index) if !self.held.is_empty() => {
                drop(self.held.remove(index.index(self.held.len())));
            }
            Step::Try => self.held.extend(self.semaphore.try_acquire_arc()),
            Step::Turn => {
                while self.waiting.first().is_some_and(Waiter::is_woken) {
                    assert!(self.poll(0), "woken without a permit");
                }
            }
            Step::Cancel(_) | Step::Forget(_) | Step::Poll(_) | Step::Release(_) => {}
        }
    }

    /// Polls the one at this place in the queue; whether it was served.
    fn poll(&mut self, place: usize) -> bool {
        let permit = self.waiting[place].poll();
        let served = permit.is_some();
        if served {
            self.waiting.remove(place);
        }
        self.held.extend(permit);
        served
    }

    fn check(&self) {
        let woken = self.waiting.iter().filter(|waiter| waiter.is_woken());
        let woken = woken.count();
        let first = self.waiting[..woken].iter();
        assert!({ first }.all(Waiter::is_woken), "woken out of turn");
        let free = self.semaphore.available();
        assert_eq!(self.held.len() + woken + free, self.permits);
        assert!(free == 0 || woken == self.waiting.len(), "not woken");
    }
}

proptest! {
    #[test]
    fn whoever_waits_longest_is_woken_for_each_permit_and_none_is_lost(
        permits in 0_usize..4,
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut model = Model::new(permits);
        for step in steps {
            model.apply(&step);
            model.check();
        }
        let (semaphore, permits) = (model.semaphore.clone(), model.permits);
        drop(model);
        prop_assert_eq!(semaphore.available(), permits);
    }
}

/// Some wait without a limit while others give up all the time, at the very moment in which they are
/// served as well. Were one wake-up lost, one of the patient would wait for ever.
#[test]
fn no_wake_up_is_lost_among_threads_that_give_up() {
    const ROUNDS: usize = 2_000;
    let semaphore = Arc::new(Semaphore::new(1));
    let inside = Arc::new(AtomicUsize::new(0));
    let (done, all) = mpsc::channel();
    for thread in 0..6 {
        let (semaphore, inside, done) = (semaphore.clone(), inside.clone(), done.clone());
        std::thread::spawn(move || {
            let mut random = fastrand::Rng::with_seed(thread);
            for _ in 0..ROUNDS {
                let permit = if thread % 2 == 0 {
                    Some(future::block_on(semaphore.acquire()))
                } else {
                    future::block_on(impatient(&semaphore, random.usize(0..4)))
                };
                if let Some(_permit) = permit {
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    inside.fetch_sub(1, Ordering::SeqCst);
                }
            }
            done.send(()).unwrap();
        });
    }
    drop(done);
    for _ in 0..6 {
        let minute = Duration::from_secs(60);
        all.recv_timeout(minute)
            .expect("a thread waits for ever, or has failed");
    }
    assert_eq!(semaphore.available(), 1);
}

/// Gives up after so many turns of its executor.
async fn impatient(semaphore: &Semaphore, turns: usize) -> Option<fetch_driver::sync::Permit<'_>> {
    let give_up = async {
        for _ in 0..turns {
            future::yield_now().await;
        }
        None
    };
    future::or(async { Some(semaphore.acquire().await) }, give_up).await
}
