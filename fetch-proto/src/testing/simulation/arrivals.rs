//! Arrival of requests.

use core::iter::Peekable;

use crate::fetch::request::FetchRequest;
use crate::guards::rate::{Rate, RateLimiter};
use crate::model::time::Timestamp;

/// Requests that have not arrived yet. Without a rate, all have arrived.
#[derive(Debug)]
pub(super) struct ArrivalQueue<I: Iterator<Item = FetchRequest>> {
    rate: Option<RateLimiter>,
    requests: Peekable<I>,
    tag: u64,
}

impl<I: Iterator<Item = FetchRequest>> ArrivalQueue<I> {
    pub(super) fn new(rate: Option<Rate>, requests: I) -> Self {
        Self {
            rate: rate.map(RateLimiter::new),
            requests: requests.peekable(),
            tag: 0,
        }
    }

    /// The next request, if it has arrived, tagged with its number.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<FetchRequest> {
        if self.next_at(now)? > now {
            return None;
        }
        if let Some(rate) = &mut self.rate {
            let _ = rate.try_acquire(now);
        }
        let request = self.requests.next()?;
        let tag = self.tag;
        self.tag += 1;
        Some(FetchRequest { tag, ..request })
    }

    /// When the next request arrives.
    pub(super) fn next_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.requests.peek()?;
        Some(
            self.rate
                .as_ref()
                .map_or(now, |rate| rate.next_allowed(now)),
        )
    }
}
