//! A response whose body is read as a stream.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_channel::Receiver;
use bytes::Bytes;
use futures_core::Stream;
use http::{StatusCode, Version};
use url::Url;

use crate::client::drivers::CancelOnDrop;
use crate::driver::outcomes::sender::StreamError;
use crate::driver::outcomes::sender::StreamStart;
use crate::lock::lock;
use crate::model::error::Error;
use crate::transport::connection::ConnectionInfo;
use crate::transport::response_headers::ResponseHeaders;

/// A response whose body is read as a stream.
#[derive(Debug)]
#[non_exhaustive]
pub struct StreamedResponse {
    /// What the cache does for the response; `None` without a cache. Whether it is stored is known only at its
    /// end.
    #[cfg(feature = "cache")]
    pub cache_status: Option<fetch_proto::cache::CacheStatus>,
    /// The body, decoded, while it is received. Dropping it cancels the rest.
    pub body: StreamedBody,
    /// The connection that serves the response; `None` if the transport does not know it.
    pub connection: Option<ConnectionInfo>,
    /// The header fields.
    pub headers: ResponseHeaders,
    /// The status.
    pub status: StatusCode,
    /// The URL of the response, after redirects.
    pub url: Arc<Url>,
    /// The protocol version.
    pub version: Version,
}

/// A body as a stream of chunks. It ends after the last byte, or with one `Err`.
///
/// If it is not polled, no more is read from the network once the buffers are full.
pub struct StreamedBody {
    cancel: CancelOnDrop,
    chunks: Pin<Box<Receiver<Bytes>>>,
    error: StreamError,
}

impl StreamedResponse {
    pub(crate) fn new(start: StreamStart, cancel: CancelOnDrop) -> Self {
        let StreamStart {
            chunks,
            error,
            head,
        } = start;
        let body = StreamedBody {
            cancel,
            chunks: Box::pin(chunks),
            error,
        };
        Self {
            #[cfg(feature = "cache")]
            cache_status: head.cache,
            body,
            connection: head.connection,
            headers: head.headers,
            status: head.status,
            url: head.url,
            version: head.version,
        }
    }
}

impl Stream for StreamedBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.chunks.as_mut().poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(chunk)) => Poll::Ready(Some(Ok(chunk))),
            Poll::Ready(None) => {
                self.cancel.disarm();
                Poll::Ready(lock(&self.error).take().map(Err))
            }
        }
    }
}

impl fmt::Debug for StreamedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamedBody").finish_non_exhaustive()
    }
}
