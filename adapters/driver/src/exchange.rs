//! One attempt from its request to the end of its body.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use fetch_proto::Failure;
use futures_core::Stream;

use crate::port::{Parts, Port, Verdict};
use crate::transport::{Outgoing, Transport, TransportError};

/// Sends `request`, waits for the loop's word on the response, and reads the body accordingly. All
/// that happens is told to `port`.
pub(crate) async fn exchange<T: Transport>(
    response: impl Future<Output = Result<crate::transport::Incoming<T::Body>, TransportError>>,
    port: Port,
) {
    let result = run::<T>(response, &port).await;
    port.end(result);
}

async fn run<T: Transport>(
    response: impl Future<Output = Result<crate::transport::Incoming<T::Body>, TransportError>>,
    port: &Port,
) -> Result<Vec<Bytes>, TransportError> {
    let incoming = response.await?;
    let (headers, status, version) = (incoming.headers, incoming.status, incoming.version);
    port.head(Parts {
        headers,
        status,
        version,
    });
    let verdict = poll_fn(|cx| port.poll_verdict(cx)).await;
    let mut body = incoming.body;
    let mut chunks = Vec::new();
    while let Some(chunk) = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await {
        let chunk = chunk?;
        port.body(chunk.len());
        match &verdict {
            Verdict::Collect => chunks.push(chunk),
            Verdict::Drop => {}
            Verdict::Stream(consumer) => hand_on(consumer, chunk, port).await?,
        }
    }
    Ok(chunks)
}

/// Gives a chunk to the consumer, and tells the loop while the consumer is not reading, so that its
/// slowness is not taken for the server's.
async fn hand_on(
    consumer: &async_channel::Sender<Bytes>,
    chunk: Bytes,
    port: &Port,
) -> Result<(), TransportError> {
    let gone = || TransportError::new(Failure::Dropped, "the response's reader was dropped");
    let chunk = match consumer.try_send(chunk) {
        Ok(()) => return Ok(()),
        Err(async_channel::TrySendError::Closed(_)) => return Err(gone()),
        Err(async_channel::TrySendError::Full(chunk)) => chunk,
    };
    port.pause(true);
    let sent = consumer.send(chunk).await;
    port.pause(false);
    sent.map_err(|_| gone())
}

/// Makes the request that goes over the wire and the future that carries it out.
pub(crate) fn start<T: Transport>(
    transport: &T,
    request: Outgoing,
    port: &Port,
) -> impl Future<Output = ()> + Send + use<T> {
    let response = transport.send(request, port.marks());
    exchange::<T>(response, port.clone())
}
