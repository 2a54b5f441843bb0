//! What the driver asks of an HTTP client: send one request, stream its body.

pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod error;
pub(crate) mod message;
pub(crate) mod peer;
pub(crate) mod progress;
pub(crate) mod shared_state;
pub(crate) mod timer;
pub(crate) mod transport_fn;

use bytes::Bytes;
use futures_core::Stream;

use crate::transport::error::TransportError;
use crate::transport::message::{Incoming, Outgoing};
use crate::transport::progress::Marks;

/// Sends one attempt and hands back its response: the seam between the driver and any HTTP client.
///
/// The core decides everything else, so a transport must not retry, follow redirects or time out by
/// itself. Dropping the future, or the body, cancels the attempt and must close (or, over HTTP/2,
/// reset) what it was using.
///
/// A function is one, too: [`transport_fn`](crate::transport_fn).
pub trait Transport: Send + Sync + 'static {
    /// Whether it marks [`Phase::Connected`](crate::Phase::Connected) or
    /// [`Phase::Reused`](crate::Phase::Reused) (and, for https, [`Phase::TlsDone`](crate::Phase::TlsDone))
    /// as soon as they happen. Default yes.
    ///
    /// Over a client that tells of its connection only with the response, or never, a slow response
    /// would be taken for a slow connection. With `false` the limit
    /// [`Timeouts::connect`](crate::Timeouts::connect) is therefore not enforced, and a request whose
    /// own policy has a [`first_byte`](crate::Timeouts::first_byte) limit is an error.
    const SEES_CONNECTION: bool = true;

    /// Whether it sends [`Outgoing::path_as_is`] where there is one. Default no: such requests are
    /// refused then, so that no client normalises a path in silence.
    const SENDS_PATH_AS_IS: bool = false;

    /// The response's body, as it arrives and decoded.
    type Body: Stream<Item = Result<Bytes, TransportError>> + Send + Unpin + 'static;

    /// Sends `request`, reports its phases through `marks`, and ends with the response's head.
    ///
    /// The future must not block. `marks` may be used until the body is finished or dropped.
    fn send(
        &self,
        request: Outgoing,
        marks: Marks,
    ) -> impl Future<Output = Result<Incoming<Self::Body>, TransportError>> + Send + use<Self>;

    /// Runs a turn of the loop, in which attempts are begun, polled and dropped one after the other, all
    /// on this thread: what one leaves and another takes up meanwhile, nobody else need know of.
    ///
    /// It calls `turn` once. Default: and does no more.
    ///
    /// ```
    /// # use fetch_driver::{Incoming, Outgoing, TransportError};
    /// # type Body = fetch_smol::stream::Empty<Result<bytes::Bytes, TransportError>>;
    /// # async fn send(_: Outgoing) -> Result<Incoming<Body>, TransportError> { unreachable!() }
    /// use fetch_driver::{Transport, transport_fn};
    ///
    /// let transport = transport_fn(|request, _marks| send(request));
    /// let mut calls = 0;
    /// transport.turn(&mut || calls += 1);
    /// assert_eq!(calls, 1);
    /// ```
    fn turn(&self, turn: &mut dyn FnMut()) {
        turn();
    }

    /// Called when nothing is in flight any more and the driver ends: close idle connections.
    fn close(&self) {}
}
