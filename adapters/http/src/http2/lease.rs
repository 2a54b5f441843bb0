//! One request's stream on a shared connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fetch_driver::FailureKind;

use super::handle::{H2Handle, HandleOwner};
use super::upload::UploadStatus;
use fetch_transport_util::lock;

/// How long a connection may be silent before a cancelled request retires it.
const MAX_SILENCE: Duration = Duration::from_secs(1);

/// One request's stream on a shared connection. Dropping it frees the stream for the next request.
#[derive(Debug)]
pub(crate) struct StreamLease {
    pub(crate) handle: Arc<H2Handle>,
    /// The status of the upload, if the request has a body.
    pub(super) upload: Option<Arc<UploadStatus>>,
    /// The size of the request's head in bytes, before compression.
    pub(super) head_size: usize,
    answers_at_start: u64,
    finished: bool,
    reads_at_start: u64,
    started: Instant,
}

impl StreamLease {
    pub(super) fn new(handle: Arc<H2Handle>) -> Self {
        Self {
            head_size: 0,
            answers_at_start: handle.shared.answers.load(Ordering::Relaxed),
            finished: false,
            reads_at_start: handle.shared.reads(),
            started: Instant::now(),
            upload: None,
            handle,
        }
    }

    /// Ends the lease of a request whose response is complete.
    pub(super) fn finish(mut self) {
        self.finished = true;
    }

    /// Records that the server answered, so it has sent its limits. Wakes the task, which may have
    /// read them but not applied them yet.
    pub(super) fn mark_answered(&self) {
        let shared = &self.handle.shared;
        shared.answers.fetch_add(1, Ordering::Relaxed);
        let settled = shared.settled.load(Ordering::Acquire);
        if !shared.answered.swap(true, Ordering::AcqRel) {
            if let Some(trial) = lock(&self.handle.trial).take() {
                trial.succeed();
            }
            if !settled {
                shared.waker.wake();
            }
        }
    }

    /// Sends no more requests over this connection, nor over older ones to the same origin.
    pub(super) fn retire_with_older(&self) {
        self.with_owner(|owner| owner.retire(&self.handle.shared, true));
    }

    /// Sends no more requests over this connection.
    pub(super) fn retire(&self) {
        self.with_owner(|owner| owner.retire(&self.handle.shared, false));
    }

    /// The failure of this request, which the server did not process. If the server announced the
    /// end of the connection (`goaway`, for this request or another one), the number of those that it
    /// did process is its limit on requests per connection.
    pub(super) fn unprocessed(&self, goaway: bool) -> FailureKind {
        let shared = &self.handle.shared;
        let unprocessed = shared.unprocessed.fetch_add(1, Ordering::AcqRel) + 1;
        if goaway {
            shared.refused_by_goaway.store(true, Ordering::Release);
        }
        if shared.refused_by_goaway.load(Ordering::Acquire) {
            let requests = shared.taken.load(Ordering::Acquire) - unprocessed;
            self.with_owner(|owner| owner.learn_request_limit(shared, requests));
        }
        FailureKind::Unprocessed {
            others_answered: shared.answers.load(Ordering::Relaxed) != self.answers_at_start,
        }
    }

    /// Sends requests to the origin over HTTP/1.1 from now on.
    pub(super) fn require_http1(&self) {
        self.with_owner(|owner| owner.require_http1(&self.handle.shared));
    }

    /// Calls `act` with the pool, if it still exists. Without it, no other request uses the
    /// connection.
    fn with_owner(&self, act: impl FnOnce(&dyn HandleOwner)) {
        if let Some(owner) = self.handle.owner.upgrade() {
            act(&*owner);
        }
    }

    /// Whether nothing was received from the server since this request started.
    pub(super) fn is_silent(&self) -> bool {
        self.handle.shared.reads() == self.reads_at_start
    }
}

impl Drop for StreamLease {
    fn drop(&mut self) {
        // The network path may be broken without an error: other requests would wait in vain, too.
        if !self.finished && self.is_silent() && self.started.elapsed() >= MAX_SILENCE {
            self.retire_with_older();
        }
        self.with_owner(|owner| owner.release(&self.handle));
    }
}
