//! The driver's timer on tokio.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

/// A timer on tokio's clock, which is allocated once and then reset.
///
/// ```
/// use std::time::Instant;
/// use fetch_driver::Timer as _;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut timer = fetch_tokio::TokioTimer::default();
/// timer.set(Some(Instant::now()));
/// std::future::poll_fn(|cx| timer.poll_fired(cx)).await;
/// # }
/// ```
#[derive(Debug, Default)]
pub struct TokioTimer {
    armed: bool,
    /// Created at first use, because that needs a runtime.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl fetch_driver::Timer for TokioTimer {
    fn set(&mut self, at: Option<Instant>) {
        self.armed = at.is_some();
        let Some(at) = at.map(tokio::time::Instant::from_std) else {
            return;
        };
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
        }
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) if self.armed => sleep.as_mut().poll(cx),
            _ => Poll::Pending,
        }
    }
}
