//! A response whose body is read piece by piece.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use async_channel::Receiver;
use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, StatusCode, Version};
use url::Url;

use crate::client::drivers::CancelOnDrop;
use crate::driver::delivery::Fate;
use crate::driver::delivery::Opened;
use crate::model::error::Error;

/// A response's head, and its body to come.
#[derive(Debug)]
#[non_exhaustive]
pub struct StreamedResponse {
    /// The body, decoded, as it comes. Dropping it cancels the rest.
    pub body: Body,
    /// The header fields.
    pub headers: HeaderMap,
    /// The status.
    pub status: StatusCode,
    /// The URL it came from, which a redirect may have changed.
    pub url: Arc<Url>,
    /// The protocol version.
    pub version: Version,
}

/// A body as a stream of chunks. It ends after the last byte, or with one `Err`.
///
/// While nobody reads it, nothing is read from the network but what is in the buffers.
pub struct Body {
    cancel: CancelOnDrop,
    chunks: Pin<Box<Receiver<Bytes>>>,
    fate: Fate,
}

impl StreamedResponse {
    pub(crate) fn new(opened: Opened, cancel: CancelOnDrop) -> Self {
        let Opened {
            chunks,
            fate,
            parts,
            url,
        } = opened;
        let body = Body {
            cancel,
            chunks: Box::pin(chunks),
            fate,
        };
        Self {
            body,
            headers: parts.headers,
            status: parts.status,
            url,
            version: parts.version,
        }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.chunks.as_mut().poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(chunk)) => Poll::Ready(Some(Ok(chunk))),
            Poll::Ready(None) => {
                self.cancel.disarm();
                let mut fate = self.fate.lock().unwrap_or_else(PoisonError::into_inner);
                Poll::Ready(fate.take().map(Err))
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}
