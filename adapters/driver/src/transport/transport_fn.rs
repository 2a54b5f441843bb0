//! A transport out of a function.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;

use crate::transport::Transport;
use crate::transport::error::TransportError;
use crate::transport::message::{Incoming, Outgoing};
use crate::transport::progress::Marks;

/// A [`Transport`] that a function is: see [`transport_fn`]. Cheap to clone.
pub struct TransportFn<F>(Arc<F>);

/// Makes a [`Transport`] of a function that sends one request and gives its response: any HTTP
/// client, or a double that answers without a network. Its arguments are those of
/// [`Transport::send`], and so are its duties: it does not block, retry, redirect or time out, and
/// dropping its future, or the body, cancels the request.
///
/// It has [`Transport::SEES_CONNECTION`] `false`, since few clients tell when they connect: the limit
/// on the attempt holds, that on connecting does not. A client that does tell is worth a type of its
/// own.
///
/// An adapter's runtime takes it up by [`WithTransport`](crate::WithTransport):
///
/// ```
/// use fetch_driver::{Builder, Incoming, Outgoing, WithTransport, transport_fn};
/// use fetch_smol::{Smol, stream};
///
/// // A double: the path is the answer.
/// let echo = transport_fn(|request: Outgoing, _marks| async move {
///     Ok(Incoming {
///         body: stream::once(Ok(request.url.path().to_owned().into())),
///         headers: http::HeaderMap::new(),
///         status: http::StatusCode::OK,
///         version: http::Version::HTTP_11,
///     })
/// });
/// let fetcher = Builder::new(WithTransport::new(Smol::default(), echo)).build()?;
/// let response = smol::block_on(fetcher.get("http://nowhere.test/hello"))?;
/// assert_eq!(&response.body[..], b"/hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn transport_fn<F, Fut, B>(send: F) -> TransportFn<F>
where
    F: Fn(Outgoing, Marks) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Incoming<B>, TransportError>> + Send + 'static,
    B: Stream<Item = Result<Bytes, TransportError>> + Send + Unpin + 'static,
{
    TransportFn(Arc::new(send))
}

impl<F, Fut, B> Transport for TransportFn<F>
where
    F: Fn(Outgoing, Marks) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Incoming<B>, TransportError>> + Send + 'static,
    B: Stream<Item = Result<Bytes, TransportError>> + Send + Unpin + 'static,
{
    const SEES_CONNECTION: bool = false;

    type Body = B;

    fn send(
        &self,
        request: Outgoing,
        marks: Marks,
    ) -> impl Future<Output = Result<Incoming<B>, TransportError>> + Send + use<F, Fut, B> {
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
