//! The body of a request before it is sent.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use fetch_proto::RequestBodyKind;
use futures_lite::{Stream, stream};

use crate::lock::lock;
use crate::transport::message::{BodyStream, RequestBody};

/// A request body that is produced while it is sent, and again for each retry: a file, a form with
/// files. See [`Request::body_source`].
///
/// ```
/// use std::sync::Arc;
///
/// use fetch_driver::{BodySource, BodyStream, Method, Request};
/// use futures_lite::stream;
///
/// /// The numbers from 1 on, one per line.
/// struct Numbers(u64);
///
/// impl BodySource for Numbers {
///     fn length(&self) -> Option<u64> {
///         None
///     }
///
///     fn open(&self) -> BodyStream {
///         Box::pin(stream::iter((1..=self.0).map(|n| Ok(format!("{n}\n").into()))))
///     }
/// }
///
/// let request = Request::new(Method::Put, "http://a.test/")?.body_source(Arc::new(Numbers(9)));
/// # Ok::<(), fetch_driver::Error>(())
/// ```
///
/// [`Request::body_source`]: crate::Request::body_source
pub trait BodySource: Send + Sync {
    /// The length in bytes, which is sent as `Content-Length`; `None` for chunked coding. A stream of
    /// another length fails with [`FailureKind::RequestBody`](crate::FailureKind::RequestBody).
    fn length(&self) -> Option<u64>;

    /// Starts the body from its beginning, for one attempt. The driver calls it, so it must not block.
    /// The stream reports what cannot be read; the request then fails, and is not retried.
    fn open(&self) -> BodyStream;
}

impl fmt::Debug for dyn BodySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length() {
            Some(length) => write!(f, "BodySource({length} bytes)"),
            None => f.write_str("BodySource(..)"),
        }
    }
}

/// A source that calls a function for each attempt.
pub(super) struct BodyFactory<F> {
    pub(super) length: Option<u64>,
    pub(super) open: F,
}

impl<F: Fn() -> BodyStream + Send + Sync> BodySource for BodyFactory<F> {
    fn length(&self) -> Option<u64> {
        self.length
    }

    fn open(&self) -> BodyStream {
        (self.open)()
    }
}

/// The body of a request.
#[derive(Clone, Debug, Default)]
pub(crate) enum RequestContent {
    #[default]
    Empty,
    Bytes(Bytes),
    /// A stream that can be sent only once, by one of the clones of the request.
    Once(Arc<OnceBody>),
    /// A stream for each attempt.
    Source(Arc<dyn BodySource>),
}

#[derive(Debug)]
pub(crate) struct OnceBody {
    length: Option<u64>,
    stream: Mutex<OnceStream>,
}

struct OnceStream(Option<BodyStream>);

/// A stream that an attempt has taken. If it is dropped before it was read, the next attempt may take
/// it.
struct OnceBodyStream {
    once: Arc<OnceBody>,
    stream: Option<BodyStream>,
    is_read: bool,
}

impl Stream for OnceBodyStream {
    type Item = <BodyStream as Stream>::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.is_read = true;
        match &mut self.stream {
            Some(stream) => stream.as_mut().poll_next(cx),
            None => Poll::Ready(None),
        }
    }
}

impl Drop for OnceBodyStream {
    fn drop(&mut self) {
        if !self.is_read {
            lock(&self.once.stream).0 = self.stream.take();
        }
    }
}

impl fmt::Debug for OnceStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "stream" } else { "sent" })
    }
}

impl RequestContent {
    pub(super) fn once(length: Option<u64>, stream: BodyStream) -> Self {
        let stream = Mutex::new(OnceStream(Some(stream)));
        Self::Once(Arc::new(OnceBody { length, stream }))
    }

    /// Whether and how often it can be sent.
    pub(crate) fn kind(&self) -> RequestBodyKind {
        match self {
            Self::Empty => RequestBodyKind::None,
            Self::Once(_) => RequestBodyKind::Once,
            Self::Bytes(_) | Self::Source(_) => RequestBodyKind::Replayable,
        }
    }

    /// Whether it can be sent only once, and no attempt has read it.
    pub(crate) fn is_unused(&self) -> bool {
        matches!(self, Self::Once(once) if lock(&once.stream).0.is_some())
    }

    /// Whether its bytes are known only while it is sent.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Self::Once(_) | Self::Source(_))
    }

    /// The body of one attempt.
    pub(crate) fn open(&self) -> RequestBody {
        match self {
            Self::Empty => RequestBody::Empty,
            Self::Bytes(bytes) => RequestBody::Bytes(bytes.clone()),
            Self::Once(once) => {
                let sent = || {
                    let why = "the stream of the body was sent before, by a clone of the request";
                    Box::pin(stream::once(Err(why.into()))) as BodyStream
                };
                let stream = lock(&once.stream).0.take();
                RequestBody::Stream {
                    length: once.length,
                    stream: match stream {
                        Some(stream) => Box::pin(OnceBodyStream {
                            once: once.clone(),
                            stream: Some(stream),
                            is_read: false,
                        }),
                        None => sent(),
                    },
                }
            }
            Self::Source(source) => RequestBody::Stream {
                length: source.length(),
                stream: source.open(),
            },
        }
    }
}
