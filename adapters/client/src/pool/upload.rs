//! A request's body as a reader.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{BodyStream, RequestBody};
use futures_lite::{AsyncBufRead, AsyncRead};

use crate::message::{BodyStreamError, check_body_length};

/// Reads a request's body. It fails if the stream fails or is not as long as announced.
///
/// ```
/// use fetch_driver::RequestBody;
/// use fetch_transport_util::UploadReader;
/// use futures_lite::AsyncReadExt;
///
/// let mut upload = UploadReader::new(RequestBody::Bytes("a=b".into())).unwrap();
/// let mut text = String::new();
/// futures_lite::future::block_on(upload.read_to_string(&mut text))?;
/// assert_eq!(text, "a=b");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct UploadReader {
    chunk: Bytes,
    failed: Arc<AtomicBool>,
    /// The bytes that the stream still has to yield, if its length is known.
    left: Option<u64>,
    length: Option<u64>,
    /// The mutex is never contended. It makes the stream `Sync`, which clients require.
    stream: Option<Mutex<DebugStream>>,
}

struct DebugStream(BodyStream);

impl std::fmt::Debug for DebugStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BodyStream")
    }
}

impl UploadReader {
    /// A reader of `body`; `None` if the body is empty.
    ///
    /// ```
    /// assert!(fetch_transport_util::UploadReader::new(fetch_driver::RequestBody::Empty).is_none());
    /// ```
    #[must_use]
    pub fn new(body: RequestBody) -> Option<Self> {
        let length = body.length();
        let (chunk, stream) = match body {
            RequestBody::Empty => return None,
            RequestBody::Bytes(bytes) if bytes.is_empty() => return None,
            RequestBody::Bytes(bytes) => (bytes, None),
            RequestBody::Stream { stream, .. } => {
                (Bytes::new(), Some(Mutex::new(DebugStream(stream))))
            }
        };
        Some(Self {
            chunk,
            failed: Arc::default(),
            left: length,
            length,
            stream,
        })
    }

    /// The length of the whole body, if it is known.
    ///
    /// ```
    /// # use fetch_driver::RequestBody;
    /// # use fetch_transport_util::UploadReader;
    /// let upload = UploadReader::new(RequestBody::Bytes("a=b".into())).unwrap();
    /// assert_eq!(upload.length(), Some(3));
    /// ```
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Set once the body has failed, so that the failure of the request can be attributed to it.
    pub(super) fn failed(&self) -> Arc<AtomicBool> {
        self.failed.clone()
    }

    fn fail(&self, error: BodyStreamError) -> io::Error {
        self.failed.store(true, Ordering::SeqCst);
        io::Error::other(error)
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.chunk.is_empty() {
            let Some(stream) = &mut self.stream else {
                break;
            };
            let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
            let chunk = ready!(stream.0.as_mut().poll_next(cx));
            match check_body_length(&mut self.left, chunk) {
                Ok(Some(chunk)) => self.chunk = chunk,
                Ok(None) => self.stream = None,
                Err(error) => return Poll::Ready(Err(self.fail(error))),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for UploadReader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_chunk(cx))?;
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        let _ = self.chunk.split_to(n);
    }
}

impl AsyncRead for UploadReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let ready = ready!(self.as_mut().poll_fill_buf(cx))?;
        let n = ready.len().min(buf.len());
        buf[..n].copy_from_slice(&ready[..n]);
        self.consume(n);
        Poll::Ready(Ok(n))
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::{AsyncReadExt, future::block_on, stream};

    use super::*;

    fn read(length: Option<u64>, chunks: &[&'static str]) -> (io::Result<String>, bool) {
        let chunks: Vec<_> = chunks.iter().map(|c| Ok(Bytes::from(*c))).collect();
        let stream: BodyStream = Box::pin(stream::iter(chunks));
        let mut upload = UploadReader::new(RequestBody::Stream { length, stream }).unwrap();
        let mut text = String::new();
        let read = block_on(upload.read_to_string(&mut text));
        (read.map(|_| text), upload.failed().load(Ordering::SeqCst))
    }

    #[test]
    fn chunks_are_read_in_order() {
        let (text, failed) = read(Some(5), &["ab", "", "cde"]);
        assert_eq!((text.unwrap().as_str(), failed), ("abcde", false));
        assert_eq!(read(None, &["ab", "c"]).0.unwrap(), "abc");
    }

    #[test]
    fn a_body_of_another_length_fails() {
        assert!(matches!(read(Some(3), &["ab", "cd"]), (Err(_), true)));
        assert!(matches!(read(Some(5), &["ab", "cd"]), (Err(_), true)));
    }
}
