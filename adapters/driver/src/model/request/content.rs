//! The body of a request before it is sent.

use std::fmt;
use std::sync::Arc;

use fetch_proto::RequestBodyKind;

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

/// The body of a request.
#[derive(Debug)]
pub(crate) enum RequestContent {
    /// Bytes, a stream that can be sent only once, or nothing.
    Body(RequestBody),
    /// A stream for each attempt.
    Source(Arc<dyn BodySource>),
}

impl RequestContent {
    pub(crate) const EMPTY: Self = Self::Body(RequestBody::Empty);

    /// Whether and how often it can be sent.
    pub(crate) fn kind(&self) -> RequestBodyKind {
        match self {
            Self::Body(RequestBody::Empty) => RequestBodyKind::None,
            Self::Body(RequestBody::Stream { .. }) => RequestBodyKind::Once,
            Self::Body(RequestBody::Bytes(_)) | Self::Source(_) => RequestBodyKind::Replayable,
        }
    }

    /// The body of one attempt. A stream that can be sent only once is taken.
    pub(crate) fn open(&mut self) -> RequestBody {
        match self {
            Self::Body(RequestBody::Bytes(bytes)) => RequestBody::Bytes(bytes.clone()),
            Self::Body(once) => core::mem::take(once),
            Self::Source(source) => RequestBody::Stream {
                length: source.length(),
                stream: source.open(),
            },
        }
    }
}
