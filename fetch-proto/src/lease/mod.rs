//! Leases: the right of one of many workers to fetch a part of a list, for a limited time.
//!
//! A list is divided into partitions by host. A queue outside this crate gives a partition to one worker at a
//! time, as a lease that ends after [`LeaseTerms::ttl`] unless the worker extends it. A host belongs to one
//! partition, so its limits are exact over all workers, if no worker sends a request after its lease has ended.
//! [`LeaseTable`] ensures that without agreement between clocks: a worker counts from the moment *before* it sent
//! the last successful request for an extension, which is earlier than the moment from which the queue counts.
//!
//! [`DeliveryHistory`] finds the URLs that crash their worker.

mod history;
mod table;
#[cfg(test)]
mod tests;

use core::time::Duration;

pub use history::{DeliveryHistory, MAX_CRASHES, MAX_FRUITLESS};
pub use table::{LeaseAction, LeaseEnd, LeaseTable};

/// The times of a lease.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::lease::LeaseTerms;
///
/// let terms = LeaseTerms::new(Duration::from_secs(40));
/// assert_eq!(terms.extend_every, Duration::from_secs(10));
/// assert_eq!(terms.start_limit, Duration::from_secs(30));
/// assert_eq!(terms.abort_limit, Duration::from_secs(35));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LeaseTerms {
    /// How long a lease lasts after it was given or extended, by the clock of the queue.
    pub ttl: Duration,
    /// The interval of extensions.
    pub extend_every: Duration,
    /// How long after its last confirmation attempts may start.
    pub start_limit: Duration,
    /// How long after its last confirmation attempts are aborted. Less than `ttl`, because the clock of the
    /// queue may be faster, and an abort takes time.
    pub abort_limit: Duration,
}

impl LeaseTerms {
    /// Extends after a quarter of `ttl`, starts no attempt after three quarters, and aborts after seven eighths.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::lease::LeaseTerms;
    /// assert_eq!(LeaseTerms::new(Duration::from_secs(8)).abort_limit, Duration::from_secs(7));
    /// ```
    #[must_use]
    pub const fn new(ttl: Duration) -> Self {
        let eighth = Duration::from_nanos(nanos(ttl) / 8);
        Self {
            ttl,
            extend_every: eighth.saturating_mul(2),
            start_limit: eighth.saturating_mul(6),
            abort_limit: eighth.saturating_mul(7),
        }
    }
}

const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 {
        u64::MAX
    } else {
        nanos as u64
    }
}
