//! The requests of the reading thread, as a stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use async_channel::Receiver;
use fetch_driver::Request;
use futures_lite::Stream;

/// Yields the requests of batches one by one.
pub(crate) struct RequestStream {
    batch: vec::IntoIter<Request>,
    receiver: Pin<Box<Receiver<Vec<Request>>>>,
}

impl RequestStream {
    pub(crate) fn new(receiver: Receiver<Vec<Request>>) -> Self {
        Self {
            batch: Vec::new().into_iter(),
            receiver: Box::pin(receiver),
        }
    }
}

impl Stream for RequestStream {
    type Item = Request;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        loop {
            if let Some(request) = self.batch.next() {
                return Poll::Ready(Some(request));
            }
            match ready!(self.receiver.as_mut().poll_next(cx)) {
                Some(batch) => self.batch = batch.into_iter(),
                None => return Poll::Ready(None),
            }
        }
    }
}
