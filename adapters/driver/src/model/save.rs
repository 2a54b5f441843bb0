//! Bodies that are saved while they come.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};
use url::Url;

/// Where bodies are saved: a directory, an archive, a hash. See [`Request::save`].
///
/// ```
/// use std::sync::Arc;
/// use std::task::{Context, Poll};
///
/// use bytes::Bytes;
/// use fetch_driver::{Request, ResponseHead, SaveBody, SaveError, Saved, Saving};
///
/// /// Counts the lines of each body, which is never in memory as a whole.
/// struct Lines;
///
/// struct Counting(usize);
///
/// impl SaveBody for Lines {
///     fn open(&self, _: &ResponseHead<'_>) -> Box<dyn Saving> {
///         Box::new(Counting(0))
///     }
/// }
///
/// impl Saving for Counting {
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn write(&mut self, chunk: Bytes) {
///         self.0 += chunk.iter().filter(|byte| **byte == b'\n').count();
///     }
///
///     fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<Saved, SaveError>> {
///         Poll::Ready(Ok(Arc::new(self.0)))
///     }
/// }
///
/// let request = Request::get("http://a.test/log")?.save(Arc::new(Lines));
/// # Ok::<(), fetch_driver::Error>(())
/// ```
///
/// [`Request::save`]: crate::Request::save
pub trait SaveBody: Send + Sync {
    /// Begins to save the body of a response that was accepted. It is called on the driver, so it
    /// must not block.
    fn open(&self, head: &ResponseHead<'_>) -> Box<dyn Saving>;
}

/// One body that is being saved. Dropped before it has finished, it is to leave nothing behind: the
/// connection broke, the body was too large, the fetch was cancelled.
pub trait Saving: Send {
    /// Waits until there is room for another chunk. While it waits, no more of the body is read,
    /// and [`Timeouts::idle_read`](crate::Timeouts::idle_read) stands still.
    ///
    /// # Errors
    ///
    /// If nothing more can be saved: the fetch ends with
    /// [`Failure::Save`](crate::Failure::Save), which is not retried.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SaveError>>;

    /// Takes a chunk. Called once after each time that [`Saving::poll_ready`] was ready; it must not
    /// block.
    fn write(&mut self, chunk: Bytes);

    /// Waits until the whole body is saved, and tells as what, for
    /// [`Response::saved`](crate::Response::saved). Nothing is called after it was ready.
    ///
    /// # Errors
    ///
    /// If the rest cannot be saved: see [`Saving::poll_ready`].
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<Saved, SaveError>>;
}

/// What a body was saved as: of a type that only who saves, and who reads the outcome, know.
pub type Saved = Arc<dyn Any + Send + Sync>;

/// Why a body could not be saved: the text is in the outcome's error, so it should name the file.
pub type SaveError = Box<dyn std::error::Error + Send + Sync>;

/// The head of a response whose body is to be saved.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ResponseHead<'a> {
    /// What the caller attached to the request.
    pub attached: Option<&'a Saved>,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The status.
    pub status: StatusCode,
    /// The request's own key.
    pub tag: u64,
    /// The URL it came from, which a redirect may have changed.
    pub url: &'a Url,
    /// The protocol version.
    pub version: Version,
}

impl fmt::Debug for dyn SaveBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaveBody(..)")
    }
}

impl fmt::Debug for dyn Saving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Saving(..)")
    }
}
