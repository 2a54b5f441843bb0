//! Transports made of functions.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;

use crate::transport::Transport;
use crate::transport::error::TransportError;
use crate::transport::message::{IncomingResponse, OutgoingRequest};
use crate::transport::progress::AttemptProgress;

/// A [`Transport`] made of a function: see [`transport_fn`]. Cheap to clone.
pub struct TransportFn<F>(Arc<F>);

/// Makes a [`Transport`] of a function that sends one request and returns its response: any HTTP
/// client, or a test double that answers without a network. The function has the arguments and the
/// duties of [`Transport::send`]: it must not block, retry, follow redirects or time out, and
/// dropping its future, or the body, must cancel the request.
///
/// [`Transport::SEES_CONNECTION`] is `false`, since few clients report when they connect: the
/// attempt timeout is enforced, the connect timeout is not. For a client that does report it,
/// implement [`Transport`].
///
/// To use it on an adapter's runtime, wrap both in [`TransportOverride`](crate::TransportOverride):
///
/// ```
/// use fetch_driver::{Builder, IncomingResponse, OutgoingRequest, TransportOverride, transport_fn};
/// use fetch_smol::{Smol, stream};
///
/// // A test double that answers with the request's path.
/// let echo = transport_fn(|request: OutgoingRequest, _progress| async move {
///     let body = stream::once(Ok(request.url.path().to_owned().into()));
///     let (status, version) = (http::StatusCode::OK, http::Version::HTTP_11);
///     Ok(IncomingResponse::new(status, version, http::HeaderMap::new(), body))
/// });
/// let fetcher = Builder::new(TransportOverride::new(Smol::default(), echo)).build()?;
/// let response = smol::block_on(fetcher.get("http://nowhere.test/hello"))?;
/// assert_eq!(&response.body[..], b"/hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn transport_fn<F, Fut, B>(send: F) -> TransportFn<F>
where
    F: Fn(OutgoingRequest, AttemptProgress) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<IncomingResponse<B>, TransportError>> + Send + 'static,
    B: Stream<Item = Result<Bytes, TransportError>> + Send + Unpin + 'static,
{
    TransportFn(Arc::new(send))
}

impl<F, Fut, B> Transport for TransportFn<F>
where
    F: Fn(OutgoingRequest, AttemptProgress) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<IncomingResponse<B>, TransportError>> + Send + 'static,
    B: Stream<Item = Result<Bytes, TransportError>> + Send + Unpin + 'static,
{
    const SEES_CONNECTION: bool = false;

    type Body = B;

    fn send(
        &self,
        request: OutgoingRequest,
        marks: AttemptProgress,
    ) -> impl Future<Output = Result<IncomingResponse<B>, TransportError>> + Send + use<F, Fut, B>
    {
        (self.0)(request, marks)
    }
}

impl<F> Clone for TransportFn<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F> fmt::Debug for TransportFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransportFn")
    }
}
