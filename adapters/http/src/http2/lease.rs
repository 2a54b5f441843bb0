//! One request's place on a shared connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::groups::Groups;
use super::link::Link;
use super::upload::Sending;

/// How long a connection may be silent before a request that gives up blames it.
const SILENCE: Duration = Duration::from_secs(1);

/// One request's place on a shared connection; dropping it gives the place to the next.
#[derive(Debug)]
pub(crate) struct Lease {
    /// What became of the request's own body, if it has one.
    pub(crate) sending: Option<Arc<Sending>>,
    pub(crate) link: Arc<Link>,
    begun: Instant,
    finished: bool,
    reads: u64,
}

impl Lease {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self {
            begun: Instant::now(),
            sending: None,
            finished: false,
            reads: link.pulse.reads(),
            link,
        }
    }

    /// The response is here to its end.
    pub(crate) fn finish(mut self) {
        self.finished = true;
    }

    /// The server answered, so it must have told its limits before. The task passes them on: it read
    /// them, perhaps just now, and may not have come to it yet.
    pub(crate) fn answered(&self) {
        let pulse = &self.link.pulse;
        let known = pulse.settled.load(Ordering::Acquire);
        if !known && !pulse.answered.swap(true, Ordering::AcqRel) {
            pulse.waker.wake();
        }
    }

    /// Sends no more requests over this connection, nor over older ones to the same origin.
    pub(super) fn distrust(&self) {
        self.in_groups(|groups| groups.retire(&self.link.pulse, true));
    }

    /// Sends no more requests over this connection.
    pub(super) fn retire(&self) {
        self.in_groups(|groups| groups.retire(&self.link.pulse, false));
    }

    /// Without its pool, nobody asks for the connection any more.
    fn in_groups(&self, act: impl FnOnce(&Groups)) {
        if let Some(pool) = self.link.ticket.pool() {
            act(&pool.groups);
        }
    }

    /// Whether nothing at all came from the server since this request began.
    pub(super) fn is_silent(&self) -> bool {
        self.link.pulse.reads() == self.reads
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Other requests would wait in vain too if the way to the server is broken unnoticed.
        if !self.finished && self.is_silent() && self.begun.elapsed() >= SILENCE {
            self.distrust();
        }
        self.in_groups(|groups| groups.release(&self.link));
    }
}
