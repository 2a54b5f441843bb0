//! Where the outcome of one fetch is sent.

use std::sync::{Arc, Mutex};
use std::task::Waker;

use async_channel::{Receiver, Sender};
use bytes::Bytes;
use fetch_proto::{BodyDelivery, FetchTimings, Method, Timestamp};

use crate::driver::outcomes::queue::QueueSender;
use crate::driver::permits::AttemptPermit;
use crate::lock::lock;
use crate::model::attachment::Attachment;
use crate::model::error::{Error, ErrorKind, SHUT_DOWN};
use crate::model::outcome::Outcome;
use crate::model::request::Request;
use crate::model::response::Response;
use crate::transport::message_sizes::MessageSizes;

/// Sends the outcome of one fetch. If it is dropped unused, it sends the error that the fetcher was
/// shut down, so that no fetch ends without an outcome.
pub(crate) struct OutcomeSender {
    attached: Option<Attachment>,
    tag: u64,
    target: Option<DeliveryTarget>,
    /// The URL as text, moved here from the request.
    url: String,
}

enum DeliveryTarget {
    Queue(QueueSender<DeliveredOutcome>),
    Stream {
        error: StreamError,
        start: Sender<Result<StreamStart, Error>>,
    },
}

/// An outcome, with the permit that bounds undelivered outcomes. Dropping it releases the permit.
pub(crate) struct DeliveredOutcome {
    pub(crate) outcome: Outcome,
    pub(crate) _permit: Option<AttemptPermit>,
}

/// The error that ended a streamed body, if any. Set before the consumer can see the end of the body.
pub(crate) type StreamError = Arc<Mutex<Option<Error>>>;

/// What the caller needs to read a streamed response, sent when the engine accepts it.
pub(crate) struct StreamStart {
    pub(crate) chunks: Receiver<Bytes>,
    pub(crate) error: StreamError,
    /// The response without its body.
    pub(crate) head: Response,
}

impl OutcomeSender {
    /// Sends the outcome to a queue. Takes the URL's text from `request`.
    pub(crate) fn to_queue(request: &mut Request, queue: QueueSender<DeliveredOutcome>) -> Self {
        Self::new(request, DeliveryTarget::Queue(queue))
    }

    /// Sends the start of a streamed response, or the error. Takes the URL's text from `request`.
    pub(crate) fn to_stream(
        request: &mut Request,
        start: Sender<Result<StreamStart, Error>>,
    ) -> Self {
        let error = StreamError::default();
        Self::new(request, DeliveryTarget::Stream { error, start })
    }

    fn new(request: &mut Request, target: DeliveryTarget) -> Self {
        Self {
            attached: request.attached.clone(),
            tag: request.tag,
            target: Some(target),
            url: core::mem::take(&mut request.text),
        }
    }

    pub(crate) fn delivery(&self) -> BodyDelivery {
        match self.target {
            Some(DeliveryTarget::Stream { .. }) => BodyDelivery::Streamed,
            _ => BodyDelivery::Buffered,
        }
    }

    /// The waker of the consumer, if outcomes go to a queue and it waits; the caller must wake it.
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        match &self.target {
            Some(DeliveryTarget::Queue(queue)) => queue.take_waker(),
            _ => None,
        }
    }

    /// The URL's text, for the outcome.
    pub(crate) fn take_url(&mut self) -> String {
        core::mem::take(&mut self.url)
    }

    /// Starts a streamed response. Returns the sender of its chunks; `None` if the response is not
    /// streamed.
    pub(crate) fn start_stream(&self, head: Response) -> Option<Sender<Bytes>> {
        let Some(DeliveryTarget::Stream { error, start }) = &self.target else {
            return None;
        };
        // One chunk waits in the channel, the next in the exchange; the rest is not read yet.
        let (sender, chunks) = async_channel::bounded(1);
        let _ = start.try_send(Ok(StreamStart {
            chunks,
            error: error.clone(),
            head,
        }));
        Some(sender)
    }

    /// Sends the outcome. Returns the waker of the consumer, if it waits; the caller must wake it.
    #[must_use]
    pub(crate) fn send(
        &mut self,
        outcome: Outcome,
        permit: Option<AttemptPermit>,
    ) -> Option<Waker> {
        match self.target.take()? {
            DeliveryTarget::Queue(queue) => queue.push(DeliveredOutcome {
                outcome,
                _permit: permit,
            }),
            DeliveryTarget::Stream { error, start } => {
                if let Err(failure) = outcome.result {
                    *lock(&error) = Some(failure.clone());
                    let _ = start.try_send(Err(failure));
                }
                None
            }
        }
    }

    /// Sends an error with the reason why the request is not fetched, and wakes the consumer.
    pub(crate) fn reject(&mut self, detail: &str) {
        self.send_error(ErrorKind::Stopped, detail);
    }

    /// Sends the error that the fetch was cancelled before it started, and wakes the consumer.
    pub(crate) fn cancel(&mut self) {
        let kind = ErrorKind::Fetch(fetch_proto::FetchError::Cancelled);
        self.send_error(kind, "it had not started");
    }

    fn send_error(&mut self, kind: ErrorKind, detail: &str) {
        if self.target.is_none() {
            return;
        }
        let error = Error::rejected(kind, &self.url, detail);
        let mut outcome = rejected_outcome(error, self.take_url(), self.tag);
        outcome.attached = self.attached.take();
        if let Some(waker) = self.send(outcome, None) {
            waker.wake();
        }
    }
}

impl Drop for OutcomeSender {
    fn drop(&mut self) {
        self.reject(SHUT_DOWN);
    }
}

/// The outcome of a request that never reached the engine.
pub(crate) fn rejected_outcome(error: Error, url: String, tag: u64) -> Outcome {
    Outcome {
        attached: None,
        attempts: Vec::new(),
        auth: None,
        auth_retries: 0,
        connection: None,
        fallback: None,
        gave_up: None,
        method: Method::Get,
        redirect_responses: Vec::new(),
        redirects: 0,
        result: Err(error),
        resumed_from: None,
        retries: 0,
        shared: false,
        sizes: MessageSizes::default(),
        tag,
        timings: FetchTimings::not_started(Timestamp::START),
        url,
        wire_bytes: 0,
        withheld: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;
    use crate::driver::outcomes::queue::{QueueReceiver, outcome_queue};

    fn queued() -> (OutcomeSender, QueueReceiver<DeliveredOutcome>) {
        let mut request = Request::get("http://a.test/").unwrap().tag(7);
        let (sender, receiver) = outcome_queue();
        (OutcomeSender::to_queue(&mut request, sender), receiver)
    }

    #[test]
    fn a_dropped_sender_sends_an_error() {
        let (sender, mut receiver) = queued();
        drop(sender);
        let outcome = block_on(receiver.next()).outcome;
        let error = outcome.error().unwrap();
        assert_eq!((error.kind(), outcome.tag), (ErrorKind::Stopped, 7));
        assert_eq!(
            (error.detail(), &*outcome.url),
            (Some(SHUT_DOWN), "http://a.test/")
        );
    }

    #[test]
    fn the_attached_value_comes_back_with_every_error() {
        let ends: [fn(OutcomeSender); 3] = [
            drop,
            |mut sender| sender.cancel(),
            |mut sender| sender.reject("not possible"),
        ];
        for end in ends {
            let request = Request::get("http://a.test/").unwrap();
            let mut request = request.attach(Arc::new(7_u32));
            let (sender, mut receiver) = outcome_queue();
            end(OutcomeSender::to_queue(&mut request, sender));
            let attached = block_on(receiver.next()).outcome.attached.unwrap();
            assert_eq!(*attached.downcast::<u32>().unwrap(), 7);
        }
    }

    #[test]
    fn exactly_one_outcome_is_sent() {
        let (mut sender, mut receiver) = queued();
        sender.cancel();
        sender.reject("late");
        drop(sender);
        let outcome = block_on(receiver.next()).outcome;
        assert_eq!(outcome.error().unwrap().kind().as_str(), "cancelled");
        let cx = &mut std::task::Context::from_waker(Waker::noop());
        assert!(receiver.poll_next(cx).is_pending());
    }

    #[test]
    fn the_error_of_a_started_stream_is_set_before_its_end() {
        let mut request = Request::get("http://a.test/").unwrap();
        let (start, starts) = async_channel::bounded(1);
        let mut sender = OutcomeSender::to_stream(&mut request, start);
        let head = Response::new(http::StatusCode::OK, "");
        let chunks = sender.start_stream(head);
        let stream = starts.try_recv().unwrap().ok().unwrap();
        assert!(lock(&stream.error).is_none());
        sender.cancel();
        assert!(chunks.is_some() && !stream.chunks.is_closed());
        assert!(lock(&stream.error).is_some());
    }
}
