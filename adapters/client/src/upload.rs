//! A request's body as a reader.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{BodyStream, RequestBody};
use futures_lite::{AsyncBufRead, AsyncRead};

/// Reads a request's body, and fails if it breaks or is not as long as it should be.
///
/// ```
/// use fetch_client::Upload;
/// use fetch_driver::RequestBody;
/// use futures_lite::AsyncReadExt;
///
/// let (mut upload, _) = Upload::new(RequestBody::Bytes("a=b".into())).unwrap();
/// let mut text = String::new();
/// futures_lite::future::block_on(upload.read_to_string(&mut text))?;
/// assert_eq!(text, "a=b");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Upload {
    chunk: Bytes,
    failed: Arc<AtomicBool>,
    left: Option<u64>,
    /// The lock is never contended: it makes a stream `Sync`, which clients ask for.
    stream: Option<Mutex<Chunks>>,
}

struct Chunks(BodyStream);

impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chunks")
    }
}

impl Upload {
    /// A reader of `body` and what tells whether it failed; `None` if there is nothing to send.
    ///
    /// ```
    /// assert!(fetch_client::Upload::new(fetch_driver::RequestBody::Empty).is_none());
    /// ```
    #[must_use]
    pub fn new(body: RequestBody) -> Option<(Self, Arc<AtomicBool>)> {
        let left = body.length();
        let (chunk, stream) = match body {
            RequestBody::Empty => return None,
            RequestBody::Bytes(bytes) if bytes.is_empty() => return None,
            RequestBody::Bytes(bytes) => (bytes, None),
            RequestBody::Stream { stream, .. } => (Bytes::new(), Some(Mutex::new(Chunks(stream)))),
        };
        let failed = Arc::new(AtomicBool::new(false));
        let upload = Self {
            chunk,
            failed: failed.clone(),
            left,
            stream,
        };
        Some((upload, failed))
    }

    fn fail(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
        self.failed.store(true, Ordering::SeqCst);
        io::Error::other(error)
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.chunk.is_empty() {
            let Some(stream) = &mut self.stream else {
                break;
            };
            let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
            match ready!(stream.0.as_mut().poll_next(cx)) {
                Some(Ok(chunk)) if self.left.is_some_and(|left| left < chunk.len() as u64) => {
                    return Poll::Ready(Err(self.fail("the body is longer than its length")));
                }
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => return Poll::Ready(Err(self.fail(error))),
                None if self.left.is_some_and(|left| left > 0) => {
                    return Poll::Ready(Err(self.fail("the body is shorter than its length")));
                }
                None => self.stream = None,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Upload {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_chunk(cx))?;
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        let _ = self.chunk.split_to(n);
        self.left = self.left.map(|left| left - n as u64);
    }
}

impl AsyncRead for Upload {
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
        let (mut upload, failed) = Upload::new(RequestBody::Stream { length, stream }).unwrap();
        let mut text = String::new();
        let read = block_on(upload.read_to_string(&mut text));
        (read.map(|_| text), failed.load(Ordering::SeqCst))
    }

    #[test]
    fn chunks_come_one_after_the_other() {
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
