//! One attempt from its request to the end of its body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_channel::{Sender, TrySendError};
use bytes::Bytes;
use fetch_proto::Failure;
use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::port::{Parts, Port, Verdict};
use crate::transport::{Incoming, Outgoing, Transport, TransportError};

/// Makes the request that goes over the wire and the future that carries it out.
pub(crate) fn start<T: Transport>(
    transport: &T,
    request: Outgoing,
    port: &Port,
) -> impl Future<Output = ()> + Send + use<T> {
    let response = transport.send(request, port.marks());
    Exchange {
        port: port.clone(),
        state: State::Sending { response },
    }
}

pin_project! {
    /// Sends a request, waits for the loop's word on the response, and reads the body accordingly.
    /// All that happens is told to the port.
    ///
    /// Written by hand, since an async fn would hold the transport's future twice: as its argument
    /// and as what it awaits. That future is large, and it is moved for each attempt.
    struct Exchange<F, B> {
        port: Port,
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B> {
        Sending { #[pin] response: F },
        Deciding { body: Option<B> },
        Reading { reading: Reading<B> },
    }
}

/// A body that is being read.
struct Reading<B> {
    body: B,
    chunks: Vec<Bytes>,
    /// A chunk that the consumer has no room for yet.
    handing: Option<Handing>,
    verdict: Verdict,
}

/// Whether the consumer took it.
type Handing = Pin<Box<dyn Future<Output = bool> + Send>>;

impl<F, B> Future for Exchange<F, B>
where
    F: Future<Output = Result<Incoming<B>, TransportError>>,
    B: Stream<Item = Result<Bytes, TransportError>> + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.as_mut().project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Sending { response } => match ready!(response.poll(cx)) {
                    Ok(Incoming {
                        body,
                        headers,
                        status,
                        version,
                    }) => {
                        this.port.head(Parts {
                            headers,
                            status,
                            version,
                        });
                        State::Deciding { body: Some(body) }
                    }
                    Err(error) => return finish(this.port, Err(error)),
                },
                StateProjection::Deciding { body } => {
                    let verdict = ready!(this.port.poll_verdict(cx));
                    let Some(body) = body.take() else {
                        return Poll::Pending;
                    };
                    State::Reading {
                        reading: Reading::new(body, verdict),
                    }
                }
                StateProjection::Reading { reading } => {
                    let result = ready!(reading.poll(this.port, cx));
                    return finish(this.port, result);
                }
            };
            this.state.set(next);
        }
    }
}

fn finish(port: &Port, result: Result<Vec<Bytes>, TransportError>) -> Poll<()> {
    port.end(result);
    Poll::Ready(())
}

impl<B: Stream<Item = Result<Bytes, TransportError>> + Unpin> Reading<B> {
    fn new(body: B, verdict: Verdict) -> Self {
        Self {
            body,
            chunks: Vec::new(),
            handing: None,
            verdict,
        }
    }

    /// Reads to the end of the body.
    fn poll(
        &mut self,
        port: &Port,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<Bytes>, TransportError>> {
        loop {
            if let Some(handing) = &mut self.handing {
                let taken = ready!(handing.as_mut().poll(cx));
                self.handing = None;
                port.pause(false);
                if !taken {
                    return Poll::Ready(Err(gone()));
                }
            }
            let Some(chunk) = ready!(Pin::new(&mut self.body).poll_next(cx)) else {
                return Poll::Ready(Ok(core::mem::take(&mut self.chunks)));
            };
            let chunk = chunk?;
            port.body(chunk.len());
            match &self.verdict {
                Verdict::Collect => self.chunks.push(chunk),
                Verdict::Drop => {}
                Verdict::Stream(consumer) => self.handing = hand_on(consumer, chunk, port)?,
            }
        }
    }
}

/// Gives a chunk to the consumer. While it has no room, the loop knows that it is not reading, so
/// that its slowness is not taken for the server's.
fn hand_on(
    consumer: &Sender<Bytes>,
    chunk: Bytes,
    port: &Port,
) -> Result<Option<Handing>, TransportError> {
    match consumer.try_send(chunk) {
        Ok(()) => Ok(None),
        Err(TrySendError::Closed(_)) => Err(gone()),
        Err(TrySendError::Full(chunk)) => {
            port.pause(true);
            let consumer = consumer.clone();
            Ok(Some(Box::pin(
                async move { consumer.send(chunk).await.is_ok() },
            )))
        }
    }
}

fn gone() -> TransportError {
    TransportError::new(Failure::Dropped, "the response's reader was dropped")
}
