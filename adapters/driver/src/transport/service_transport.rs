//! A tower service as a transport.

use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use fetch_proto::{AttemptPhase, FailureKind};
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use crate::transport::Transport;
use crate::transport::error::TransportError;
use crate::transport::message::{IncomingResponse, OutgoingRequest, RequestBody};
use crate::transport::progress::AttemptProgress;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A [`Transport`] that sends requests through a tower service: a client such as reqwest or hyper, with
/// the layers around it. It must not retry, follow redirects or time out by itself.
///
/// The service does not report its connections, so [`Timeouts::connect`](crate::Timeouts::connect) does
/// not apply.
///
/// ```
/// use std::convert::Infallible;
/// use std::future::{Ready, ready};
/// use std::task::{Context, Poll};
///
/// use fetch_driver::{ServiceBody, ServiceTransport};
/// use http::{Request, Response};
///
/// /// Answers with the path.
/// #[derive(Clone)]
/// struct Echo;
///
/// impl tower_service::Service<Request<ServiceBody>> for Echo {
///     type Response = Response<String>;
///     type Error = Infallible;
///     type Future = Ready<Result<Self::Response, Infallible>>;
///
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn call(&mut self, request: Request<ServiceBody>) -> Self::Future {
///         ready(Ok(Response::new(request.uri().path().to_owned())))
///     }
/// }
///
/// let builder = fetch_smol::Fetcher::builder().transport(ServiceTransport::new(Echo));
/// let response = smol::block_on(builder.build()?.get("http://a.test/hello"))?;
/// assert_eq!(&response.body[..], b"/hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ServiceTransport<S> {
    /// Cloned for each attempt. Behind a lock, because many services cannot be shared by threads.
    service: Arc<Mutex<S>>,
}

/// The body of a request that a [`ServiceTransport`] sends.
#[derive(Debug, Default)]
pub struct ServiceBody(RequestBody);

/// The body of a response that a [`ServiceTransport`] received.
pub struct ReceivedServiceBody<B> {
    body: Pin<Box<B>>,
    progress: AttemptProgress,
}

impl<S> ServiceTransport<S> {
    /// Sends requests through clones of this service.
    ///
    /// ```
    /// # use fetch_driver::ServiceTransport;
    /// # fn example(client: reqwest_like::Client) {
    /// let transport = ServiceTransport::new(client);
    /// # }
    /// # mod reqwest_like { pub struct Client; }
    /// ```
    pub fn new(service: S) -> Self {
        Self {
            service: Arc::new(Mutex::new(service)),
        }
    }
}

impl<S> Clone for ServiceTransport<S> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
        }
    }
}

impl<S> fmt::Debug for ServiceTransport<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceTransport")
    }
}

impl<B> fmt::Debug for ReceivedServiceBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceivedServiceBody")
    }
}

impl<S, B> Transport for ServiceTransport<S>
where
    S: Service<http::Request<ServiceBody>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Body = ReceivedServiceBody<B>;

    const SEES_CONNECTION: bool = false;

    fn send(
        &self,
        request: OutgoingRequest,
        progress: AttemptProgress,
    ) -> impl Future<Output = Result<IncomingResponse<Self::Body>, TransportError>> + Send + use<S, B>
    {
        let service = self.service.lock();
        let mut service = service.unwrap_or_else(PoisonError::into_inner).clone();
        async move {
            let request = service_request(request)?;
            let ready = poll_fn(|cx| service.poll_ready(cx)).await;
            ready.map_err(|error| service_error(error.into(), false))?;
            let response = service.call(request).await;
            let response = response.map_err(|error| service_error(error.into(), true))?;
            progress.mark(AttemptPhase::Sent);
            let (parts, body) = response.into_parts();
            let body = ReceivedServiceBody {
                body: Box::pin(body),
                progress,
            };
            Ok(IncomingResponse::new(
                parts.status,
                parts.version,
                parts.headers,
                body,
            ))
        }
    }
}

impl<B: Body<Error: Into<BoxError>>> Stream for ReceivedServiceBody<B> {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(service_error(error.into(), true))));
                }
                None => return Poll::Ready(None),
            };
            // Trailers are dropped.
            if let Ok(mut data) = frame.into_data() {
                let chunk = data.copy_to_bytes(data.remaining());
                self.progress.add_received(chunk.len() as u64);
                return Poll::Ready(Some(Ok(chunk)));
            }
        }
    }
}

impl Body for ServiceBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let chunk = match &mut self.0 {
            RequestBody::Stream { stream, .. } => return poll_chunk(stream, cx),
            RequestBody::Bytes(bytes) => std::mem::take(bytes),
            RequestBody::Empty => Bytes::new(),
        };
        self.0 = RequestBody::Empty;
        Poll::Ready((!chunk.is_empty()).then_some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.length() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .length()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn poll_chunk(
    stream: &mut crate::transport::message::BodyStream,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
    let chunk = ready!(stream.as_mut().poll_next(cx));
    Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
}

fn service_request(request: OutgoingRequest) -> Result<http::Request<ServiceBody>, TransportError> {
    let OutgoingRequest {
        body,
        headers,
        method,
        url,
        ..
    } = request;
    let uri: Result<http::Uri, _> = url.as_str().parse();
    let uri = uri.map_err(|error| TransportError::new(FailureKind::Unsupported, error))?;
    let mut request = http::Request::new(ServiceBody(body));
    *request.headers_mut() = Arc::unwrap_or_clone(headers);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    Ok(request)
}

/// The kind of failure is that of the system's error behind it. `called`: whether the request may have been
/// sent.
fn service_error(error: BoxError, called: bool) -> TransportError {
    let refused = |kind| {
        matches!(
            kind,
            ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::AddrNotAvailable
        )
    };
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&*error);
    let mut is_refused = false;
    while let Some(one) = cause {
        let io = one.downcast_ref::<std::io::Error>();
        is_refused |= io.is_some_and(|io| refused(io.kind()));
        cause = one.source();
    }
    let kind = match is_refused || !called {
        true => FailureKind::Connect,
        false => FailureKind::Io,
    };
    TransportError::new(kind, error)
}
