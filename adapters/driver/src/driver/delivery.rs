//! Where an outcome goes.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use async_channel::{Receiver, Sender};
use bytes::Bytes;
use fetch_proto::{Delivery, Timestamp, Timings};
use url::Url;

use super::exchange::Parts;
use super::outcome_queue::Deliveries;
use super::permits::Permit;
use crate::model::error::{Error, ErrorKind};
use crate::model::outcome::Outcome;
use crate::model::request::Request;

/// Where an outcome goes. Dropped unused, it says that the fetcher was stopped, so that no fetch
/// ends without an outcome.
pub(crate) struct Sink {
    attached: Option<Arc<dyn Any + Send + Sync>>,
    tag: u64,
    pub(super) to: Option<Destination>,
    /// The request's text, which nobody else needs any more.
    pub(super) url: String,
}

pub(super) enum Destination {
    Outcome(Deliveries<Delivered>),
    Stream {
        fate: Fate,
        head: Sender<Result<Opened, Error>>,
    },
}

/// An outcome and its place in the bound on undelivered ones, given back when it is taken.
pub(crate) struct Delivered {
    pub(crate) outcome: Outcome,
    pub(crate) _permit: Option<Permit>,
}

/// How a streamed body ended, set before its last chunk can have been read.
pub(crate) type Fate = Arc<Mutex<Option<Error>>>;

/// What the loop hands over when a streamed response is accepted.
pub(crate) struct Opened {
    pub(crate) chunks: Receiver<Bytes>,
    pub(crate) fate: Fate,
    pub(crate) parts: Parts,
    pub(crate) url: Arc<Url>,
}

impl Sink {
    pub(crate) fn outcome(request: &mut Request, to: Deliveries<Delivered>) -> Self {
        let to = Some(Destination::Outcome(to));
        Self {
            attached: request.attached.clone(),
            tag: request.tag,
            to,
            url: core::mem::take(&mut request.text),
        }
    }

    pub(crate) fn stream(request: &mut Request, head: Sender<Result<Opened, Error>>) -> Self {
        let to = Some(Destination::Stream {
            fate: Fate::default(),
            head,
        });
        Self {
            attached: request.attached.clone(),
            tag: request.tag,
            to,
            url: core::mem::take(&mut request.text),
        }
    }

    pub(crate) fn delivery(&self) -> Delivery {
        match self.to {
            Some(Destination::Stream { .. }) => Delivery::Streamed,
            _ => Delivery::Buffered,
        }
    }

    /// Delivers the outcome. Gives whoever waits for it, and is to be woken: it may be nobody any more.
    #[must_use]
    pub(crate) fn deliver(&mut self, outcome: Outcome, permit: Option<Permit>) -> Option<Waker> {
        match self.to.take()? {
            Destination::Outcome(to) => to.put(Delivered {
                outcome,
                _permit: permit,
            }),
            Destination::Stream { fate, head } => {
                if let Err(error) = outcome.result {
                    let mut fate = fate.lock().unwrap_or_else(PoisonError::into_inner);
                    *fate = Some(error.clone());
                    let _ = head.try_send(Err(error));
                }
                None
            }
        }
    }
}

impl Sink {
    /// Says that nobody is there to fetch it, and why.
    pub(crate) fn refuse(&mut self, why: &str) {
        self.end(ErrorKind::Stopped, why);
    }

    /// Says that it was cancelled before it came to the engine.
    pub(crate) fn cancel(&mut self) {
        self.end(
            ErrorKind::Fetch(fetch_proto::Error::Cancelled),
            "it had not begun",
        );
    }

    fn end(&mut self, kind: ErrorKind, why: &str) {
        if self.to.is_some() {
            let error = Error::invalid(kind, &self.url, why);
            let url = core::mem::take(&mut self.url);
            let mut outcome = stillborn(error, url, self.tag);
            outcome.attached = self.attached.take();
            if let Some(reader) = self.deliver(outcome, None) {
                reader.wake();
            }
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.refuse("its driver was dropped");
    }
}

/// The outcome of a request that never came to the engine.
pub(crate) fn stillborn(error: Error, url: String, tag: u64) -> Outcome {
    Outcome {
        attached: None,
        attempts: Vec::new(),
        connection: None,
        fell_back: None,
        gave_up: None,
        redirects: 0,
        result: Err(error),
        retries: 0,
        shared: false,
        tag,
        timings: Timings {
            submitted: Timestamp::START,
            started: None,
            ended: Timestamp::START,
            queued: core::time::Duration::ZERO,
            backoff: core::time::Duration::ZERO,
            redirecting: core::time::Duration::ZERO,
        },
        url,
        wire_bytes: 0,
    }
}
