//! Saving bodies while they are received.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use fetch_proto::Validator;
use http::{HeaderMap, StatusCode, Version};
use url::Url;

use super::attachment::Attachment;

/// Where bodies are saved: a directory, an archive, a hash. See [`Request::save`].
///
/// ```
/// use std::sync::Arc;
/// use std::task::{Context, Poll};
///
/// use bytes::Bytes;
/// use fetch_driver::{BodySink, BodyWriter, Request, ResponseHead, SaveError, SaveReceipt};
///
/// /// Counts the lines of each body without holding it in memory.
/// struct LineCounts;
///
/// struct LineCounter(usize);
///
/// impl BodySink for LineCounts {
///     fn open(&self, _: &ResponseHead<'_>) -> Box<dyn BodyWriter> {
///         Box::new(LineCounter(0))
///     }
/// }
///
/// impl BodyWriter for LineCounter {
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn write(&mut self, chunk: Bytes) {
///         self.0 += chunk.iter().filter(|byte| **byte == b'\n').count();
///     }
///
///     fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<SaveReceipt, SaveError>> {
///         Poll::Ready(Ok(Arc::new(self.0)))
///     }
/// }
///
/// let request = Request::get("http://a.test/log")?.save(Arc::new(LineCounts));
/// # Ok::<(), fetch_driver::Error>(())
/// ```
///
/// [`Request::save`]: crate::Request::save
pub trait BodySink: Send + Sync {
    /// Starts to save the body of an accepted response. The driver calls it, so it must not block.
    fn open(&self, head: &ResponseHead<'_>) -> Box<dyn BodyWriter>;
}

/// Saves one body. If the connection breaks, it waits for the next attempt: the rest is written to it,
/// or, if the body starts over, it is dropped and the sink opens another one. It is also dropped
/// before it has finished if the fetch fails or is cancelled. It must then leave nothing behind,
/// except what a later fetch [continues](crate::Request::resume_from).
pub trait BodyWriter: Send {
    /// Waits until there is room for another chunk. Until then no more of the body is read, and
    /// [`Timeouts::idle_read`](crate::Timeouts::idle_read) does not run.
    ///
    /// # Errors
    ///
    /// If nothing more can be saved: the fetch ends with
    /// [`FailureKind::Save`](crate::FailureKind::Save), which is not retried.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SaveError>>;

    /// Takes a chunk. Called at most once each time [`poll_ready`](Self::poll_ready) was ready; it
    /// must not block.
    fn write(&mut self, chunk: Bytes);

    /// Waits until the whole body is saved. The result becomes
    /// [`Response::saved`](crate::Response::saved). Nothing is called after it was ready.
    ///
    /// # Errors
    ///
    /// If the rest cannot be saved: see [`poll_ready`](Self::poll_ready).
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<SaveReceipt, SaveError>>;
}

/// What a [`BodyWriter`] returns about a saved body, such as the file's path. Readers of the outcome
/// downcast it.
pub type SaveReceipt = Arc<dyn Any + Send + Sync>;

/// Why a body could not be saved. The text becomes part of the outcome's error, so it should name
/// the file.
pub type SaveError = Box<dyn std::error::Error + Send + Sync>;

/// The head of a response whose body is saved.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ResponseHead<'a> {
    /// What the caller attached to the request.
    pub attached: Option<&'a Attachment>,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The position in the body of the first byte that will be written: 0, or the offset of the
    /// request's [`resume_from`](crate::Request::resume_from) if the server continues there. If that is
    /// set and this is 0, the body starts over.
    pub offset: u64,
    /// The status: 206, or 416 if nothing is missing, if the body does not begin here.
    pub status: StatusCode,
    /// The request's tag.
    pub tag: u64,
    /// The URL of the response, after redirects.
    pub url: &'a Url,
    /// What identifies the body, so that a later fetch can continue it: see
    /// [`Request::resume_from`](crate::Request::resume_from). `None` if it cannot be continued.
    pub validator: Option<&'a Validator>,
    /// The protocol version.
    pub version: Version,
}

impl fmt::Debug for dyn BodySink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodySink(..)")
    }
}

impl fmt::Debug for dyn BodyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyWriter(..)")
    }
}
