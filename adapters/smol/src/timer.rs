//! The driver's timer on smol.

use std::cell::Cell;
use std::task::{Context, Poll};
use std::time::Instant;

use fetch_driver::{AsyncIoTimer, Timer};

thread_local! {
    static HAS_YIELDED: Cell<bool> = const { Cell::new(false) };
}

/// A timer on async-io's reactor. When the driver yields, [`Smol::run`](crate::Smol::run) looks for
/// events before it runs more tasks.
///
/// ```
/// use std::time::Instant;
/// use fetch_driver::Timer as _;
///
/// let mut timer = fetch_smol::SmolTimer::default();
/// timer.set(Some(Instant::now()));
/// smol::block_on(std::future::poll_fn(|cx| timer.poll_fired(cx)));
/// ```
#[derive(Debug, Default)]
pub struct SmolTimer(AsyncIoTimer);

/// Whether a driver has yielded on this thread since the last call.
pub(crate) fn take_yielded() -> bool {
    HAS_YIELDED.take()
}

impl Timer for SmolTimer {
    fn set(&mut self, at: Option<Instant>) {
        self.0.set(at);
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_fired(cx)
    }

    fn yield_now(&mut self, cx: &mut Context<'_>) {
        HAS_YIELDED.set(true);
        self.0.yield_now(cx);
    }
}
