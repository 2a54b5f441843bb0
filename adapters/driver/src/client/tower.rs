//! A fetcher as a tower service, and as a layer around one.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;
use http_body::{Body, Frame};
use tower_layer::Layer;
use tower_service::Service;

use crate::client::builder::Builder;
use crate::client::fetcher::Fetcher;
use crate::client::streamed::StreamedBody;
use crate::model::error::{Error, ErrorKind};
use crate::model::request::Request;
use crate::settings::adapter::Adapter;
use crate::settings::transport_override::TransportOverride;
use crate::transport::Transport;
use crate::transport::service_transport::ServiceTransport;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A request body that is certainly not larger than this, in bytes, is read before the request is sent, so
/// that it can be sent again.
const REPEATABLE_BODY: u64 = 64 * 1024;

/// Sends the request under the fetcher's policies. The service is always ready: requests wait in the
/// fetcher's queues, within its limits.
///
/// A request body of up to 64 KiB, as its size hint says, is read first, so that the request can be
/// retried; a larger one is sent once, while it is read. Responses of any status are `Ok`.
///
/// ```
/// use http::{Request, Response};
/// use tower_service::Service;
/// # let site = fetch_testbed::Site::start()?;
///
/// let mut service = fetch_smol::Fetcher::builder().build()?;
/// let request = Request::get(site.url("/status/404")).body(String::new())?;
/// let response = smol::block_on(service.call(request))?;
/// assert_eq!(response.status(), 404);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<A, B> Service<http::Request<B>> for Fetcher<A>
where
    A: Adapter,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = http::Response<StreamedBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let fetcher = self.clone();
        Box::pin(async move {
            let response = fetcher.open(read_request(request).await?).await?;
            let mut converted = http::Response::new(response.body);
            *converted.headers_mut() = response.headers.into_map();
            *converted.status_mut() = response.status;
            *converted.version_mut() = response.version;
            Ok(converted)
        })
    }
}

/// The request of the fetcher, with the body in memory if it is small.
async fn read_request<B>(request: http::Request<B>) -> Result<Request, Error>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (parts, body) = request.into_parts();
    let hint = body.size_hint();
    if hint.upper().is_some_and(|most| most <= REPEATABLE_BODY) {
        let mut body = pin!(body);
        let mut bytes = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            let frame = frame.map_err(|error| {
                Error::rejected(
                    ErrorKind::InvalidBody,
                    &parts.uri.to_string(),
                    error.into() as BoxError,
                )
            })?;
            if let Ok(mut data) = frame.into_data() {
                bytes.extend_from_slice(&data.copy_to_bytes(data.remaining()));
            }
        }
        return http::Request::from_parts(parts, bytes.freeze()).try_into();
    }
    let request: Request = http::Request::from_parts(parts, Bytes::new()).try_into()?;
    let chunks = BodyChunks(Box::pin(body));
    Ok(request.body_stream(hint.exact(), Box::pin(chunks)))
}

/// The data of a body, as a stream.
struct BodyChunks<B>(Pin<Box<B>>);

impl<B: Body<Error: Into<BoxError>>> Stream for BodyChunks<B> {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = std::task::ready!(self.0.as_mut().poll_frame(cx));
            let data = match frame {
                Some(Ok(frame)) => frame.into_data(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            };
            if let Ok(mut data) = data {
                return Poll::Ready(Some(Ok(data.copy_to_bytes(data.remaining()))));
            }
        }
    }
}

impl Body for StreamedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.poll_next(cx)
            .map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

/// A layer that sends requests through an inner service under all policies of a fetcher: retries, budgets,
/// circuit breakers, rates, limits per host, redirects, hedges.
///
/// The inner service is the transport: see [`ServiceTransport`]. Each service that the layer makes has an
/// engine of its own. If a setting is invalid, each request fails with the reason.
///
/// ```
/// # let site = fetch_testbed::Site::start()?;
/// use fetch_driver::FetcherLayer;
/// use tower_layer::Layer;
/// use tower_service::Service;
///
/// let inner = fetch_smol::Fetcher::builder().build()?; // or reqwest, hyper …
/// let layer = FetcherLayer::new(fetch_smol::Fetcher::builder().per_host(2));
/// let mut service = layer.layer(inner);
/// let request = http::Request::get(site.url("/flaky/2?key=a")).body(String::new())?;
/// let response = smol::block_on(service.call(request))?;
/// assert_eq!(response.status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FetcherLayer<A> {
    builder: Builder<A>,
}

impl<A: Adapter> FetcherLayer<A> {
    /// A layer with these settings, on the runtime of `A`. Settings of its HTTP client cannot be changed,
    /// because the inner service is used in its place.
    ///
    /// ```
    /// let layer = fetch_driver::FetcherLayer::new(fetch_smol::Fetcher::builder().concurrency(20));
    /// ```
    pub fn new(builder: Builder<A>) -> Self {
        Self { builder }
    }
}

impl<A, S> Layer<S> for FetcherLayer<A>
where
    A: Adapter + Clone,
    ServiceTransport<S>: Transport,
{
    type Service = Fetcher<TransportOverride<A, ServiceTransport<S>>>;

    fn layer(&self, inner: S) -> Self::Service {
        let builder = self.builder.clone().transport(ServiceTransport::new(inner));
        builder.build_or_failing()
    }
}
