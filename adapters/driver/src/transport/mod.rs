//! The interface of the driver to an HTTP client: what one attempt needs, reports and returns.

pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod error;
pub(crate) mod failure_reason;
pub(crate) mod message;
pub(crate) mod message_sizes;
pub(crate) mod progress;
pub(crate) mod response_headers;
#[cfg(feature = "tower")]
pub(crate) mod service_transport;
pub(crate) mod shared_state;
pub(crate) mod timer;
pub(crate) mod transport_fn;

use bytes::Bytes;
use futures_core::Stream;

use crate::transport::error::TransportError;
use crate::transport::message::{IncomingResponse, OutgoingRequest};
use crate::transport::progress::AttemptProgress;

/// An HTTP client: sends the request of one attempt and returns its response.
///
/// The core makes all decisions, so a transport must not retry, follow redirects or time out by
/// itself. Dropping the future, or the body, cancels the attempt and must close (or, over HTTP/2,
/// reset) what it was using.
///
/// A function can be a transport, too: [`transport_fn`](crate::transport_fn).
pub trait Transport: Send + Sync + 'static {
    /// Whether the transport marks [`Connected`](crate::AttemptPhase::Connected) or
    /// [`Reused`](crate::AttemptPhase::Reused) (and, for https,
    /// [`TlsDone`](crate::AttemptPhase::TlsDone)) as soon as they happen. Default: true.
    ///
    /// If a client reports its connection only with the response, or never, a slow response would
    /// look like a slow connection. With `false`, the limit
    /// [`Timeouts::connect`](crate::Timeouts::connect) is therefore not enforced, and a request whose
    /// own policy has a [`first_byte`](crate::Timeouts::first_byte) limit fails.
    const SEES_CONNECTION: bool = true;

    /// Whether the transport sends [`OutgoingRequest::path_as_is`] where it is set. Default: false.
    /// Requests with such a path then fail, so that no client normalizes a path silently.
    const SENDS_PATH_AS_IS: bool = false;

    /// The response body, decoded, as it arrives.
    type Body: Stream<Item = Result<Bytes, TransportError>> + Send + Unpin + 'static;

    /// Sends `request`, reports its phases through `progress`, and returns the response's head.
    ///
    /// The future must not block. `progress` may be used until the body is finished or dropped.
    fn send(
        &self,
        request: OutgoingRequest,
        progress: AttemptProgress,
    ) -> impl Future<Output = Result<IncomingResponse<Self::Body>, TransportError>> + Send + use<Self>;

    /// Runs one turn of the driver by calling `turn` exactly once. All attempts that the turn starts,
    /// polls and drops do so on this thread, one after the other, so a transport can pass connections
    /// between them without synchronization. Default: only calls `turn`.
    ///
    /// ```
    /// # use fetch_driver::{IncomingResponse, OutgoingRequest, TransportError};
    /// # type Body = fetch_smol::stream::Empty<Result<bytes::Bytes, TransportError>>;
    /// # async fn send(_: OutgoingRequest) -> Result<IncomingResponse<Body>, TransportError> { unreachable!() }
    /// use fetch_driver::{Transport, transport_fn};
    ///
    /// let transport = transport_fn(|request, _progress| send(request));
    /// let mut calls = 0;
    /// transport.run_turn(&mut || calls += 1);
    /// assert_eq!(calls, 1);
    /// ```
    fn run_turn(&self, turn: &mut dyn FnMut()) {
        turn();
    }

    /// Closes idle connections. Called when the driver ends, with nothing in flight.
    fn close(&self) {}
}
