//! A fair semaphore.

use std::borrow::Borrow;
use std::fmt;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use event_listener::{Event, EventListener, IntoNotification, Listener};
use futures_lite::future;

use crate::sync::Sleep;
use crate::transport::timer::Timer;

/// A number of permits, given out in the order in which they were asked for.
///
/// A permit that is given back goes straight to whoever waits longest, so no newcomer can overtake.
/// Waiting can be cancelled at any moment by dropping the future: no permit is lost, not even one
/// that was given in the same instant.
///
/// ```
/// use fetch_driver::sync::Semaphore;
///
/// futures_lite::future::block_on(async {
///     let semaphore = Semaphore::new(2);
///     let first = semaphore.acquire().await;
///     let second = semaphore.acquire().await;
///     assert!(semaphore.try_acquire().is_none());
///     drop(first);
///     assert!(semaphore.try_acquire().is_some());
/// });
/// ```
pub struct Semaphore {
    /// Permits that nobody waits for: while anybody waits, there are none.
    free: Mutex<usize>,
    /// Those who wait; a notification is a permit.
    waiting: Event,
}

impl Semaphore {
    /// A semaphore with this many permits.
    ///
    /// ```
    /// let semaphore = fetch_driver::sync::Semaphore::new(100);
    /// ```
    #[must_use]
    pub const fn new(permits: usize) -> Self {
        Self {
            free: Mutex::new(permits),
            waiting: Event::new(),
        }
    }

    /// Waits for a permit.
    ///
    /// The place in the queue is taken when the future is first polled.
    ///
    /// ```
    /// # let semaphore = fetch_driver::sync::Semaphore::new(1);
    /// # futures_lite::future::block_on(async {
    /// let permit = semaphore.acquire().await;
    /// # });
    /// ```
    pub fn acquire(&self) -> Acquire<'_> {
        Acquire(Waiting::new(self))
    }

    /// Waits for a permit that borrows nothing, and so can go to another task.
    ///
    /// ```
    /// use std::sync::Arc;
    /// # let semaphore = Arc::new(fetch_driver::sync::Semaphore::new(1));
    /// # futures_lite::future::block_on(async {
    /// let permit = semaphore.acquire_arc().await;
    /// std::thread::spawn(move || drop(permit));
    /// # });
    /// ```
    pub fn acquire_arc(self: &Arc<Self>) -> AcquireArc {
        AcquireArc(Waiting::new(self.clone()))
    }

    /// Takes a permit if there is one and nobody waits for it.
    ///
    /// ```
    /// # let semaphore = fetch_driver::sync::Semaphore::new(1);
    /// assert!(semaphore.try_acquire().is_some());
    /// ```
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.take().then(|| Permit { semaphore: self })
    }

    /// [`Semaphore::try_acquire`] with a permit that borrows nothing.
    ///
    /// ```
    /// # let semaphore = std::sync::Arc::new(fetch_driver::sync::Semaphore::new(1));
    /// let permit = semaphore.try_acquire_arc();
    /// assert!(permit.is_some() && semaphore.try_acquire_arc().is_none());
    /// ```
    pub fn try_acquire_arc(self: &Arc<Self>) -> Option<PermitArc> {
        self.take().then(|| PermitArc {
            semaphore: Some(self.clone()),
        })
    }

    /// Waits for a permit, but no longer than `limit`, by async-io's clock.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let semaphore = fetch_driver::sync::Semaphore::new(1);
    /// # futures_lite::future::block_on(async {
    /// let permit = semaphore.acquire_timeout(Duration::from_secs(1)).await?;
    /// assert!(semaphore.acquire_timeout(Duration::from_millis(1)).await.is_err());
    /// # Ok::<(), fetch_driver::sync::TimedOut>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// If the time is over first. A permit that is there is given even for a `limit` of zero.
    #[cfg(feature = "async-io")]
    pub async fn acquire_timeout(&self, limit: Duration) -> Result<Permit<'_>, TimedOut> {
        self.acquire_timeout_on(limit, crate::AsyncIoTimer::default())
            .await
    }

    /// Waits for a permit, but no longer than `limit`, by a timer of your runtime.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fetch_driver::AsyncIoTimer;
    /// # let semaphore = fetch_driver::sync::Semaphore::new(0);
    /// # futures_lite::future::block_on(async {
    /// let timer = AsyncIoTimer::default();
    /// assert!(semaphore.acquire_timeout_on(Duration::from_millis(1), timer).await.is_err());
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// If the time is over first. A permit that is there is given even for a `limit` of zero.
    pub async fn acquire_timeout_on(
        &self,
        limit: Duration,
        timer: impl Timer + Unpin,
    ) -> Result<Permit<'_>, TimedOut> {
        let permit = async { Ok(self.acquire().await) };
        let too_late = async {
            Sleep::new(limit, timer).await;
            Err(TimedOut(()))
        };
        future::or(permit, too_late).await
    }

    /// How many permits could be taken now.
    ///
    /// ```
    /// assert_eq!(fetch_driver::sync::Semaphore::new(3).available(), 3);
    /// ```
    #[must_use]
    pub fn available(&self) -> usize {
        *self.lock()
    }

    /// Adds permits: first to those who wait.
    ///
    /// ```
    /// # let semaphore = fetch_driver::sync::Semaphore::new(1);
    /// semaphore.add_permits(2);
    /// assert_eq!(semaphore.available(), 3);
    /// ```
    pub fn add_permits(&self, count: usize) {
        let mut free = self.lock();
        let given = self.waiting.notify(count.additional());
        *free += count - given;
    }

    fn take(&self) -> bool {
        let mut free = self.lock();
        let taken = free.checked_sub(1);
        *free = taken.unwrap_or_default();
        taken.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .field("waiting", &self.waiting.total_listeners())
            .finish()
    }
}

/// One who wants a permit.
struct Waiting<S: Borrow<Semaphore>> {
    done: bool,
    place: Option<EventListener>,
    semaphore: S,
}

impl<S: Borrow<Semaphore>> Waiting<S> {
    fn new(semaphore: S) -> Self {
        Self {
            done: false,
            place: None,
            semaphore,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        assert!(!self.done, "polled after it gave its permit");
        let place = match &mut self.place {
            Some(place) => place,
            None => {
                let semaphore = self.semaphore.borrow();
                // The lock is held until the place is taken, so that no permit can pass by.
                let mut free = semaphore.lock();
                if *free > 0 {
                    *free -= 1;
                    self.done = true;
                    return Poll::Ready(());
                }
                self.place.insert(semaphore.waiting.listen())
            }
        };
        let polled = Pin::new(place).poll(cx);
        if polled.is_ready() {
            self.place = None;
            self.done = true;
        }
        polled
    }
}

impl<S: Borrow<Semaphore>> Drop for Waiting<S> {
    fn drop(&mut self) {
        // A place that was just given a permit passes it on.
        if self.place.take().is_some_and(EventListener::discard) {
            self.semaphore.borrow().add_permits(1);
        }
    }
}

/// Waits for a [`Permit`]: see [`Semaphore::acquire`].
#[must_use = "futures do nothing unless awaited"]
pub struct Acquire<'a>(Waiting<&'a Semaphore>);

impl<'a> Future for Acquire<'a> {
    type Output = Permit<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit<'a>> {
        let semaphore = self.0.semaphore;
        self.0.poll(cx).map(|()| Permit { semaphore })
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acquire")
    }
}

/// Waits for a [`PermitArc`]: see [`Semaphore::acquire_arc`].
#[must_use = "futures do nothing unless awaited"]
pub struct AcquireArc(Waiting<Arc<Semaphore>>);

impl Future for AcquireArc {
    type Output = PermitArc;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<PermitArc> {
        self.0.poll(cx).map(|()| PermitArc {
            semaphore: Some(self.0.semaphore.clone()),
        })
    }
}

impl fmt::Debug for AcquireArc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AcquireArc")
    }
}

/// A permit, given back when it is dropped.
#[derive(Debug)]
#[must_use = "a permit that is not kept is given back at once"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
}

impl Permit<'_> {
    /// Never gives it back: the semaphore has one permit less.
    ///
    /// ```
    /// # let semaphore = fetch_driver::sync::Semaphore::new(1);
    /// semaphore.try_acquire().unwrap().forget();
    /// assert_eq!(semaphore.available(), 0);
    /// ```
    pub fn forget(self) {
        let _ = ManuallyDrop::new(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.add_permits(1);
    }
}

/// A permit that borrows nothing, given back when it is dropped.
#[derive(Debug)]
#[must_use = "a permit that is not kept is given back at once"]
pub struct PermitArc {
    /// None once it is forgotten.
    semaphore: Option<Arc<Semaphore>>,
}

impl PermitArc {
    /// Never gives it back: the semaphore has one permit less.
    ///
    /// ```
    /// # let semaphore = std::sync::Arc::new(fetch_driver::sync::Semaphore::new(1));
    /// semaphore.try_acquire_arc().unwrap().forget();
    /// assert_eq!(semaphore.available(), 0);
    /// ```
    pub fn forget(mut self) {
        self.semaphore = None;
    }
}

impl Drop for PermitArc {
    fn drop(&mut self) {
        if let Some(semaphore) = &self.semaphore {
            semaphore.add_permits(1);
        }
    }
}

/// The time was over before there was a permit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TimedOut(());

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no permit was free in time")
    }
}

impl std::error::Error for TimedOut {}
