//! The semaphore and the sleep, under every executor.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use fetch_driver::AsyncIoTimer;
use fetch_driver::sync::{AcquireArc, PermitArc, Semaphore, Sleep, sleep};

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;
type Run = fn(Boxed);
type Spawn = fn(Boxed);

/// Each executor: how it runs a future to its end, and how it runs one beside.
fn executors() -> [(&'static str, Run, Spawn); 5] {
    fn on_tokio(mut builder: tokio::runtime::Builder, future: Boxed) {
        // No driver of tokio's is enabled: neither is needed.
        builder.build().unwrap().block_on(future);
    }
    [
        ("smol", smol::block_on, |task| smol::spawn(task).detach()),
        ("async-std", async_std::task::block_on, |task| {
            async_std::task::spawn(task);
        }),
        (
            "tokio, current thread",
            |future| on_tokio(tokio::runtime::Builder::new_current_thread(), future),
            |task| drop(tokio::spawn(task)),
        ),
        (
            "tokio, multi thread",
            |future| on_tokio(tokio::runtime::Builder::new_multi_thread(), future),
            |task| drop(tokio::spawn(task)),
        ),
        ("futures", futures_executor::block_on, |task| {
            std::thread::spawn(|| futures_executor::block_on(task));
        }),
    ]
}

#[test]
fn the_bound_holds_and_everyone_gets_through() {
    for (name, run, spawn) in executors() {
        run(Box::pin(async move {
            let semaphore = Arc::new(Semaphore::new(3));
            let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (done, all) = async_channel::bounded(40);
            for _ in 0..40 {
                let (semaphore, now, most) = (semaphore.clone(), now.clone(), most.clone());
                let done = done.clone();
                spawn(Box::pin(async move {
                    let permit = semaphore.acquire_arc().await;
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    sleep(Duration::from_millis(1)).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                    done.send(()).await.unwrap();
                }));
            }
            for _ in 0..40 {
                all.recv().await.unwrap();
            }
            assert!((1..=3).contains(&most.load(Ordering::SeqCst)), "{name}");
            assert_eq!(semaphore.available(), 3, "{name}");
        }));
    }
}

#[test]
fn waiting_ends_with_its_time_and_leaves_no_trace() {
    for (name, run, _) in executors() {
        run(Box::pin(async move {
            let semaphore = Semaphore::new(1);
            let permit = semaphore.acquire_timeout(Duration::ZERO).await.unwrap();
            let (began, limit) = (Instant::now(), Duration::from_millis(20));
            assert!(semaphore.acquire_timeout(limit).await.is_err(), "{name}");
            assert!(began.elapsed() >= limit, "{name}");
            drop(permit);
            assert_eq!(semaphore.available(), 1, "{name}");
        }));
    }
}

#[test]
fn a_permit_given_in_time_is_taken() {
    for (name, run, spawn) in executors() {
        run(Box::pin(async move {
            let semaphore = Arc::new(Semaphore::new(1));
            let permit = semaphore.acquire_arc().await;
            spawn(Box::pin(async move {
                sleep(Duration::from_millis(5)).await;
                drop(permit);
            }));
            let got = semaphore.acquire_timeout(Duration::from_secs(60)).await;
            assert!(got.is_ok(), "{name}");
        }));
    }
}

#[test]
fn a_sleep_can_be_moved_and_used_again() {
    for (name, run, _) in executors() {
        run(Box::pin(async move {
            let step = Duration::from_millis(10);
            let mut sleep = Sleep::new(Duration::from_secs(3600), AsyncIoTimer::default());
            let began = Instant::now();
            for _ in 0..3 {
                sleep.reset(step);
                (&mut sleep).await;
                (&mut sleep).await;
            }
            assert!(began.elapsed() >= 3 * step, "{name}");
        }));
    }
}

#[test]
fn a_sleep_whose_timer_fires_early_sleeps_on() {
    /// Fires at once, three times.
    struct Hasty(u8, AsyncIoTimer);
    impl fetch_driver::Timer for Hasty {
        fn set(&mut self, at: Option<Instant>) {
            self.1.set(at);
        }
        fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            if self.0 > 0 {
                self.0 -= 1;
                return Poll::Ready(());
            }
            self.1.poll_fired(cx)
        }
    }
    let (began, long) = (Instant::now(), Duration::from_millis(20));
    futures_executor::block_on(Sleep::new(long, Hasty(3, AsyncIoTimer::default())));
    assert!(began.elapsed() >= long);
}

#[test]
fn a_newcomer_does_not_overtake() {
    let semaphore = Arc::new(Semaphore::new(1));
    let held = semaphore.try_acquire_arc().unwrap();
    let mut first = semaphore.acquire_arc();
    assert!(poll(&mut first).is_none());
    drop(held);
    assert!(semaphore.try_acquire().is_none());
    assert!(poll(&mut semaphore.acquire_arc()).is_none());
    assert!(poll(&mut first).is_some());
}

#[test]
fn many_threads_lose_no_permit() {
    let semaphore = Arc::new(Semaphore::new(2));
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            let semaphore = semaphore.clone();
            std::thread::spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..500 {
                    let limit = Duration::from_micros(random.u64(0..200));
                    drop(futures_executor::block_on(semaphore.acquire_timeout(limit)));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(semaphore.available(), 2);
}

fn poll(acquire: &mut AcquireArc) -> Option<PermitArc> {
    let mut cx = Context::from_waker(Waker::noop());
    match Pin::new(acquire).poll(&mut cx) {
        Poll::Ready(permit) => Some(permit),
        Poll::Pending => None,
    }
}
