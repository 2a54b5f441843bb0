//! A semaphore and a sleep for any executor.
//!
//! Neither knows a runtime: a [`Semaphore`] needs none, and a [`Sleep`] needs a [`Timer`], of which
//! the feature `async-io` brings one that runs by itself under every executor.
//!
//! [`Timer`]: crate::Timer

mod semaphore;
mod sleep;

pub use semaphore::{Acquire, AcquireArc, Permit, PermitArc, Semaphore, TimedOut};
pub use sleep::Sleep;
#[cfg(feature = "async-io")]
pub use sleep::sleep;
