//! One attempt from its request to the end of its body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_channel::{Sender, TrySendError};
use bytes::Bytes;
use fetch_proto::Failure;
use futures_core::Stream;
use http::{HeaderMap, StatusCode, Version};
use pin_project_lite::pin_project;
use smallvec::SmallVec;

use crate::driver::attempt_set::Flying;
use crate::model::save::{SaveError, Saved, Saving};
use crate::transport::Transport;
use crate::transport::error::TransportError;
use crate::transport::message::{Incoming, Outgoing};
use crate::transport::progress::{Marks, Wanted};

/// Makes the request that goes over the wire and what carries it out.
pub(crate) fn start<T: Transport>(
    transport: &T,
    request: Outgoing,
    marks: Marks,
) -> impl Exchanging + use<T> {
    let response = transport.send(request, marks);
    Exchange {
        state: State::Sending { response },
    }
}

/// An attempt, as the loop sees it.
pub(crate) trait Exchanging: Flying<News = News> + Send + 'static {
    /// Says what to do with the response's body, for which it waits.
    fn decide(self: Pin<&mut Self>, verdict: Verdict);
}

/// What an attempt tells while it is polled.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// So many bytes of the body were handed on.
    pub(crate) body: u64,
    pub(crate) end: Option<Result<Read, TransportError>>,
    pub(crate) head: Option<Parts>,
    /// Whether the consumer began (true) or ceased to be waited for.
    pub(crate) paused: Vec<bool>,
}

/// A response's head.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) headers: HeaderMap,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
}

/// A body's chunks: mostly just one.
pub(crate) type Chunks = SmallVec<[Bytes; 1]>;

/// A body that was read to its end.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// It, if it was collected.
    pub(crate) chunks: Chunks,
    /// What it was saved as.
    pub(crate) saved: Option<Saved>,
}

/// What to do with a response's body.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Collect it.
    Collect,
    /// Read and drop it.
    Drop,
    /// Save it.
    Save(Box<dyn Saving>),
    /// Hand it on.
    Stream(Sender<Bytes>),
}

impl Verdict {
    /// What a transport is told of it.
    pub(crate) fn wanted(&self) -> Wanted {
        match self {
            Self::Collect => Wanted::Whole,
            Self::Drop => Wanted::Nothing,
            Self::Save(_) | Self::Stream(_) => Wanted::Pieces,
        }
    }
}

pin_project! {
    /// Sends a request, waits for the loop's word on the response, and reads the body accordingly.
    ///
    /// Written by hand, since an async fn would hold the transport's future twice: as its argument
    /// and as what it awaits. That future is large, and it is moved for each attempt.
    struct Exchange<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B> {
        Sending { #[pin] response: F },
        Deciding { body: Option<B>, verdict: Option<Verdict> },
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

impl<F, B> Flying for Exchange<F, B>
where
    F: Future<Output = Result<Incoming<B>, TransportError>>,
    B: Stream<Item = Result<Bytes, TransportError>> + Unpin,
{
    type News = News;

    fn poll(mut self: Pin<&mut Self>, news: &mut News, cx: &mut Context<'_>) -> Poll<()> {
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
                        news.head = Some(Parts {
                            headers,
                            status,
                            version,
                        });
                        State::Deciding {
                            body: Some(body),
                            verdict: None,
                        }
                    }
                    Err(error) => return finish(news, Err(error)),
                },
                StateProjection::Deciding { body, verdict } => {
                    // Whoever decides has it polled again.
                    let Some(verdict) = verdict.take() else {
                        return Poll::Pending;
                    };
                    let Some(body) = body.take() else {
                        return Poll::Pending;
                    };
                    State::Reading {
                        reading: Reading::new(body, verdict),
                    }
                }
                StateProjection::Reading { reading } => {
                    let result = ready!(reading.poll(news, cx));
                    return finish(news, result);
                }
            };
            this.state.set(next);
        }
    }
}

impl<F, B> Exchanging for Exchange<F, B>
where
    F: Future<Output = Result<Incoming<B>, TransportError>> + Send + 'static,
    B: Stream<Item = Result<Bytes, TransportError>> + Send + Unpin + 'static,
{
    fn decide(self: Pin<&mut Self>, decided: Verdict) {
        if let StateProjection::Deciding { verdict, .. } = self.project().state.project() {
            *verdict = Some(decided);
        }
    }
}

fn finish(news: &mut News, result: Result<Read, TransportError>) -> Poll<()> {
    news.end = Some(result);
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
    fn poll(
        &mut self,
        news: &mut News,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Read, TransportError>> {
        loop {
            if let Some(handing) = &mut self.handing {
                let taken = ready!(handing.as_mut().poll(cx));
                self.handing = None;
                news.paused.push(false);
                if !taken {
                    return Poll::Ready(Err(gone()));
                }
            }
            if self.ended {
                return self.poll_end(news, cx);
            }
            if let Verdict::Save(saving) = &mut self.verdict {
                ready!(wait(&mut self.paused, news, saving.poll_ready(cx)))?;
            }
            let Some(chunk) = ready!(Pin::new(&mut self.body).poll_next(cx)) else {
                self.ended = true;
                continue;
            };
            let chunk = chunk?;
            news.body += chunk.len() as u64;
            match &mut self.verdict {
                Verdict::Collect => self.chunks.push(chunk),
                Verdict::Drop => {}
                Verdict::Save(saving) => saving.write(chunk),
                Verdict::Stream(consumer) => self.handing = hand_on(consumer, chunk, news)?,
            }
        }
    }

    /// Waits until what was read is saved, if it is to be.
    fn poll_end(
        &mut self,
        news: &mut News,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Read, TransportError>> {
        let saved = match &mut self.verdict {
            Verdict::Save(saving) => Some(ready!(wait(
                &mut self.paused,
                news,
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
    news: &mut News,
    polled: Poll<Result<T, SaveError>>,
) -> Poll<Result<T, TransportError>> {
    if polled.is_pending() != *paused {
        *paused = polled.is_pending();
        news.paused.push(*paused);
    }
    polled.map_err(|error| TransportError::new(Failure::Save, error))
}

/// Gives a chunk to the consumer. While it has no room, the loop knows that it is not reading, so
/// that its slowness is not taken for the server's.
fn hand_on(
    consumer: &Sender<Bytes>,
    chunk: Bytes,
    news: &mut News,
) -> Result<Option<Handing>, TransportError> {
    match consumer.try_send(chunk) {
        Ok(()) => Ok(None),
        Err(TrySendError::Closed(_)) => Err(gone()),
        Err(TrySendError::Full(chunk)) => {
            news.paused.push(true);
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
        let body = stream::iter([Ok(Bytes::from_static(b"x"))]);
        let mut reading = Reading::new(body, Verdict::Save(Box::new(Slow(false))));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut told = Vec::new();
        loop {
            let mut news = News::default();
            let polled = reading.poll(&mut news, &mut cx);
            told.push(news.paused);
            if polled.is_ready() {
                break;
            }
        }
        // Before the chunk, before the end is seen, and at the end itself.
        let [on, off_on, off] = [vec![true], vec![false, true], vec![false]];
        assert_eq!(told, [on, off_on.clone(), off_on, off]);
    }
}
