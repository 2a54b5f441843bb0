//! When a store that fails is not asked.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::store::{CacheStoreError, StoreFuture};
use crate::lock::lock;

/// After so many failures one after another, the store is not asked for some time.
const FAILURES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A lookup that is given up after this time counts as a failure: it was too slow.
const SLOW: Duration = Duration::from_millis(200);

/// The circuit breaker of a store. After some failures the store is not asked for 1 s, then for twice as
/// long after each further failure, up to 30 s. The first success ends that.
#[derive(Debug, Default)]
pub(super) struct StoreBreaker(Mutex<BreakerState>);

#[derive(Debug, Default)]
struct BreakerState {
    /// In a row.
    failures: u32,
    opened: Option<Instant>,
    skipped: u64,
}

impl StoreBreaker {
    /// Whether the store may be asked now.
    pub(super) fn allows(&self, now: Instant) -> bool {
        let mut state = lock(&self.0);
        let Some(opened) = state.opened else {
            return true;
        };
        if now.saturating_duration_since(opened) < pause(state.failures) {
            state.skipped += 1;
            return false;
        }
        // The others wait until it is known how this one ends.
        state.opened = Some(now);
        true
    }

    pub(super) fn report(&self, is_success: bool, now: Instant) {
        let mut state = lock(&self.0);
        if is_success {
            (state.failures, state.opened) = (0, None);
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.opened = Some(now);
        }
    }

    /// How often the store was not asked.
    pub(super) fn skipped(&self) -> u64 {
        lock(&self.0).skipped
    }

    /// Reports how the future ends. If it is dropped early, it has failed if it was slow.
    pub(super) fn watch<T: 'static>(self: &Arc<Self>, future: StoreFuture<T>) -> StoreFuture<T> {
        Box::pin(WatchedFuture {
            breaker: self.clone(),
            future: Some(future),
            started: Instant::now(),
        })
    }
}

fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(FAILURES).min(16);
    (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE)
}

struct WatchedFuture<T> {
    breaker: Arc<StoreBreaker>,
    future: Option<StoreFuture<T>>,
    started: Instant,
}

impl<T> Future for WatchedFuture<T> {
    type Output = Result<T, CacheStoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.future else {
            return Poll::Pending;
        };
        let polled = future.as_mut().poll(cx);
        if let Poll::Ready(end) = &polled {
            self.breaker.report(end.is_ok(), Instant::now());
            self.future = None;
        }
        polled
    }
}

impl<T> Drop for WatchedFuture<T> {
    fn drop(&mut self) {
        if self.future.is_some() && self.started.elapsed() >= SLOW {
            self.breaker.report(false, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_failures_the_store_rests_longer_and_longer() {
        let (breaker, start) = (StoreBreaker::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..FAILURES {
            assert!(breaker.allows(start));
            breaker.report(false, start);
        }
        assert!(!breaker.allows(start));
        assert!(breaker.allows(at(1)));
        assert!(!breaker.allows(at(1)), "one request tries it");
        breaker.report(false, at(1));
        assert!(!breaker.allows(at(2)));
        assert!(breaker.allows(at(3)));
        breaker.report(true, at(3));
        assert!(breaker.allows(at(3)));
        assert_eq!((breaker.skipped(), pause(1_000)), (3, LONGEST_PAUSE));
    }

    #[test]
    fn an_answer_is_reported_when_it_is_there() {
        let breaker = Arc::new(StoreBreaker::default());
        for _ in 0..FAILURES {
            let error = async { Err::<(), _>(CacheStoreError::new("down")) };
            let watched = breaker.watch(Box::pin(error));
            assert!(futures_lite::future::block_on(watched).is_err());
        }
        assert!(!breaker.allows(Instant::now()));
        let watched = breaker.watch(Box::pin(async { Ok(()) }));
        assert!(futures_lite::future::block_on(watched).is_ok());
        assert!(breaker.allows(Instant::now()));
    }
}
