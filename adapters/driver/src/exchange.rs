//! One attempt from its request to the end of its body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_channel::{Sender, TrySendError};
use bytes::Bytes;
use fetch_proto::Failure;
use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::port::{Chunks, Parts, Port, Read, Verdict};
use crate::save::SaveError;
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
    chunks: Chunks,
    /// Whether the body has come to its end.
    ended: bool,
    /// A chunk that the consumer has no room for yet.
    handing: Option<Handing>,
    /// Whether the loop knows that what saves is waited for.
    paused: bool,
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

fn finish(port: &Port, result: Result<Read, TransportError>) -> Poll<()> {
    port.end(result);
    Poll::Ready(())
}

impl<B: Stream<Item = Result<Bytes, TransportError>> + Unpin> Reading<B> {
    fn new(body: B, verdict: Verdict) -> Self {
        Self {
            body,
            chunks: Chunks::new(),
            ended: false,
            handing: None,
            paused: false,
            verdict,
        }
    }

    /// Reads to the end of the body.
    fn poll(&mut self, port: &Port, cx: &mut Context<'_>) -> Poll<Result<Read, TransportError>> {
        loop {
            if let Some(handing) = &mut self.handing {
                let taken = ready!(handing.as_mut().poll(cx));
                self.handing = None;
                port.pause(false);
                if !taken {
                    return Poll::Ready(Err(gone()));
                }
            }
            if self.ended {
                return self.poll_end(port, cx);
            }
            if let Verdict::Save(saving) = &mut self.verdict {
                ready!(wait(&mut self.paused, port, saving.poll_ready(cx)))?;
            }
            let Some(chunk) = ready!(Pin::new(&mut self.body).poll_next(cx)) else {
                self.ended = true;
                continue;
            };
            let chunk = chunk?;
            port.body(chunk.len());
            match &mut self.verdict {
                Verdict::Collect => self.chunks.push(chunk),
                Verdict::Drop => {}
                Verdict::Save(saving) => saving.write(chunk),
                Verdict::Stream(consumer) => self.handing = hand_on(consumer, chunk, port)?,
            }
        }
    }

    /// Waits until what was read is saved, if it is to be.
    fn poll_end(
        &mut self,
        port: &Port,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Read, TransportError>> {
        let saved = match &mut self.verdict {
            Verdict::Save(saving) => Some(ready!(wait(
                &mut self.paused,
                port,
                saving.poll_finish(cx)
            ))?),
            _ => None,
        };
        let chunks = core::mem::take(&mut self.chunks);
        Poll::Ready(Ok(Read { chunks, saved }))
    }
}

/// Lets the loop know when what saves begins and ceases to be waited for, so that its slowness is
/// not taken for the server's.
fn wait<T>(
    paused: &mut bool,
    port: &Port,
    polled: Poll<Result<T, SaveError>>,
) -> Poll<Result<T, TransportError>> {
    if polled.is_pending() != *paused {
        *paused = polled.is_pending();
        port.pause(*paused);
    }
    polled.map_err(|error| TransportError::new(Failure::Save, error))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_lite::stream;

    use super::*;
    use crate::clock::Clock;
    use crate::save::{Saved, Saving};

    /// Has room at every other time that it is asked.
    struct Slow(bool);

    impl Slow {
        fn turn<T>(&mut self, ready: T) -> Poll<Result<T, SaveError>> {
            self.0 = !self.0;
            if self.0 {
                Poll::Pending
            } else {
                Poll::Ready(Ok(ready))
            }
        }
    }

    impl Saving for Slow {
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
            self.turn(())
        }

        fn write(&mut self, _: Bytes) {}

        fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<Saved, SaveError>> {
            self.turn(Arc::new(()))
        }
    }

    #[test]
    fn the_loop_is_told_while_what_saves_is_waited_for() {
        let port = Port::new(Clock::start());
        let body = stream::iter([Ok(Bytes::from_static(b"x"))]);
        let mut reading = Reading::new(body, Verdict::Save(Box::new(Slow(false))));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut told = Vec::new();
        while reading.poll(&port, &mut cx).is_pending() {
            told.push(port.take().paused);
        }
        // Before the chunk, before the end is seen, and at the end itself.
        assert_eq!(told, [vec![true], vec![false, true], vec![false, true]]);
        assert_eq!(port.take().paused, [false]);
    }
}
