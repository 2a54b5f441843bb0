//! Reads a response body and passes it to its consumer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_channel::{Sender, TrySendError};
use bytes::Bytes;
use fetch_proto::FailureKind;
use futures_core::Stream;

#[cfg(feature = "cache")]
use super::body_copy::BodyCopy;
use super::{AttemptUpdate, BodyChunks, BodyExtras, BodyMode, ReceivedBody, UnfinishedBody};
use crate::model::save::SaveError;
use crate::transport::error::TransportError;

/// The most bytes of a body that one poll takes, so that other exchanges get their turn however fast
/// the transport reads. Transports that read the network themselves stop earlier.
const MAX_POLL_BYTES: usize = 1024 * 1024;

/// The least that a chunk counts, in bytes.
const MIN_CHUNK: usize = 4 * 1024;

/// A body that is being read.
pub(super) struct BodyReader<B> {
    body: B,
    chunks: BodyChunks,
    /// What the cache keeps.
    #[cfg(feature = "cache")]
    copy: Option<BodyCopy>,
    /// Whether the end of the body was reached.
    ended: bool,
    mode: BodyMode,
    /// Whether a wait for the writer is reported as a pause.
    paused: bool,
    /// A chunk that waits for room in the consumer's channel.
    sending: Option<PendingSend>,
    /// A body from the cache, which comes before what the network brings.
    stored: Option<Bytes>,
}

/// A chunk on its way to the consumer.
struct PendingSend {
    chunk: Bytes,
    /// Whether the consumer took the chunk.
    is_taken: Pin<Box<dyn Future<Output = bool> + Send>>,
}

impl<B: Stream<Item = Result<Bytes, TransportError>> + Unpin> BodyReader<B> {
    pub(super) fn new(body: B, mode: BodyMode, extras: BodyExtras) -> Self {
        Self {
            body,
            chunks: BodyChunks::new(),
            #[cfg(feature = "cache")]
            copy: extras.copy_limit.map(BodyCopy::new),
            ended: matches!(mode, BodyMode::Complete(_)),
            mode,
            paused: false,
            sending: None,
            stored: extras.into_stored(),
        }
    }

    /// Takes what the next attempt needs to continue this body.
    pub(super) fn take_unfinished(&mut self) -> Option<UnfinishedBody> {
        match core::mem::replace(&mut self.mode, BodyMode::Discard) {
            BodyMode::Complete(Some(writer)) | BodyMode::Save(writer) => {
                Some(UnfinishedBody::Writer(writer))
            }
            BodyMode::Stream(_, left) => {
                let sending = self.sending.take().map(|sending| sending.chunk);
                sending.or(left).map(UnfinishedBody::Chunk)
            }
            BodyMode::Redirect => Some(UnfinishedBody::Redirect(core::mem::take(&mut self.chunks))),
            _ => None,
        }
    }

    /// Reads to the end of the body, in turns.
    pub(super) fn poll(
        &mut self,
        update: &mut AttemptUpdate,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ReceivedBody, TransportError>> {
        let mut taken = 0;
        loop {
            let is_skipped = matches!(self.mode, BodyMode::Skip);
            if taken >= MAX_POLL_BYTES && !is_skipped {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(sending) = &mut self.sending {
                let is_taken = ready!(sending.is_taken.as_mut().poll(cx));
                self.sending = None;
                update.pauses.push(false);
                if !is_taken {
                    return Poll::Ready(Err(consumer_dropped()));
                }
            }
            if self.ended {
                return self.poll_finish(update, cx);
            }
            match &mut self.mode {
                BodyMode::Save(writer) => {
                    ready!(note_pause(&mut self.paused, update, writer.poll_ready(cx)))?;
                }
                BodyMode::Stream(consumer, left) => {
                    if let Some(chunk) = left.take() {
                        self.sending = forward(consumer, chunk, update)?;
                        continue;
                    }
                }
                BodyMode::Lost => {
                    let why = "the part of the body that was saved before is lost";
                    return Poll::Ready(Err(TransportError::new(FailureKind::Save, why)));
                }
                BodyMode::Collect
                | BodyMode::Complete(_)
                | BodyMode::Discard
                | BodyMode::Redirect
                | BodyMode::Skip => {}
            }
            let polled = match self.stored.take() {
                Some(stored) => Poll::Ready(Some(Ok(stored))),
                None => Pin::new(&mut self.body).poll_next(cx),
            };
            if is_skipped
                && (taken >= MAX_POLL_BYTES || !matches!(polled, Poll::Ready(Some(Ok(_)))))
            {
                self.ended = true;
                continue;
            }
            let Some(chunk) = ready!(polled) else {
                self.ended = true;
                continue;
            };
            let chunk = chunk?;
            update.body_bytes += chunk.len() as u64;
            taken += chunk.len().max(MIN_CHUNK);
            #[cfg(feature = "cache")]
            if let Some(copy) = &mut self.copy {
                copy.add(&chunk);
            }
            match &mut self.mode {
                BodyMode::Collect | BodyMode::Redirect => self.chunks.push(chunk),
                BodyMode::Complete(_) | BodyMode::Discard | BodyMode::Lost | BodyMode::Skip => {}
                BodyMode::Save(writer) => writer.write(chunk),
                BodyMode::Stream(consumer, _) => self.sending = forward(consumer, chunk, update)?,
            }
        }
    }

    /// Waits until the body is saved, if it is to be saved.
    fn poll_finish(
        &mut self,
        update: &mut AttemptUpdate,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ReceivedBody, TransportError>> {
        let saved =
            match &mut self.mode {
                BodyMode::Complete(Some(writer)) | BodyMode::Save(writer) => Some(ready!(
                    note_pause(&mut self.paused, update, writer.poll_finish(cx))
                )?),
                _ => None,
            };
        let chunks = core::mem::take(&mut self.chunks);
        Poll::Ready(Ok(ReceivedBody {
            chunks,
            #[cfg(feature = "cache")]
            copy: self.copy.take().and_then(BodyCopy::finish),
            saved,
        }))
    }
}

/// Reports when the exchange starts or stops waiting for the writer, whose slowness must not count as
/// the server's.
fn note_pause<T>(
    paused: &mut bool,
    update: &mut AttemptUpdate,
    polled: Poll<Result<T, SaveError>>,
) -> Poll<Result<T, TransportError>> {
    if polled.is_pending() != *paused {
        *paused = polled.is_pending();
        update.pauses.push(*paused);
    }
    polled.map_err(|error| TransportError::new(FailureKind::Save, error))
}

/// Sends a chunk to the consumer. If its channel is full, reports the pause, because the consumer's
/// slowness must not count as the server's, and returns the send to wait for.
fn forward(
    consumer: &Sender<Bytes>,
    chunk: Bytes,
    update: &mut AttemptUpdate,
) -> Result<Option<PendingSend>, TransportError> {
    match consumer.try_send(chunk) {
        Ok(()) => Ok(None),
        Err(TrySendError::Closed(_)) => Err(consumer_dropped()),
        Err(TrySendError::Full(chunk)) => {
            update.pauses.push(true);
            let (consumer, sent) = (consumer.clone(), chunk.clone());
            Ok(Some(PendingSend {
                chunk,
                is_taken: Box::pin(async move { consumer.send(sent).await.is_ok() }),
            }))
        }
    }
}

fn consumer_dropped() -> TransportError {
    TransportError::new(FailureKind::Dropped, "the response's reader was dropped")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_lite::{StreamExt, stream};

    use super::*;
    use crate::model::save::{BodyWriter, SaveReceipt};

    #[derive(Default)]
    struct WakeCount(AtomicUsize);

    impl std::task::Wake for WakeCount {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Is ready at every second poll.
    struct SlowWriter(bool);

    impl SlowWriter {
        fn poll<T>(&mut self, ready: T) -> Poll<Result<T, SaveError>> {
            self.0 = !self.0;
            if self.0 {
                Poll::Pending
            } else {
                Poll::Ready(Ok(ready))
            }
        }
    }

    impl BodyWriter for SlowWriter {
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
            self.poll(())
        }

        fn write(&mut self, _: Bytes) {}

        fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<SaveReceipt, SaveError>> {
            self.poll(Arc::new(()))
        }
    }

    #[test]
    fn an_endless_body_is_read_in_turns() {
        for len in [1, 64 * 1024] {
            let body = stream::repeat_with(move || Ok(Bytes::from(vec![0; len])));
            let mut reader = BodyReader::new(body, BodyMode::Discard, BodyExtras::default());
            let wakes = Arc::<WakeCount>::default();
            let waker = std::task::Waker::from(wakes.clone());
            let mut cx = Context::from_waker(&waker);
            for polls in 1..=3 {
                let mut update = AttemptUpdate::default();
                assert!(reader.poll(&mut update, &mut cx).is_pending());
                assert_eq!(
                    update.body_bytes,
                    (len * 1024 * 1024 / len.max(MIN_CHUNK)) as u64
                );
                assert_eq!(wakes.0.load(Ordering::Relaxed), polls);
            }
        }
    }

    #[test]
    fn a_skipped_body_ends_with_what_has_arrived() {
        let arrived = || stream::iter([Ok(Bytes::from_static(b"ab"))]);
        let endless = || stream::repeat_with(|| Ok(Bytes::from(vec![0; 64 * 1024])));
        let broken = || stream::iter([Err(consumer_dropped())]);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut skip = |body: Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>>>>| {
            let mut update = AttemptUpdate::default();
            let mut reader = BodyReader::new(body, BodyMode::Skip, BodyExtras::default());
            let polled = reader.poll(&mut update, &mut cx);
            assert!(matches!(polled, Poll::Ready(Ok(_))), "{polled:?}");
            update.body_bytes
        };
        assert_eq!(skip(Box::pin(arrived())), 2);
        assert_eq!(skip(Box::pin(arrived().chain(stream::pending()))), 2);
        assert_eq!(skip(Box::pin(broken())), 0);
        assert_eq!(skip(Box::pin(endless())), MAX_POLL_BYTES as u64);
    }

    #[test]
    fn waiting_for_the_writer_is_reported_as_a_pause() {
        let body = stream::iter([Ok(Bytes::from_static(b"x"))]);
        let mode = BodyMode::Save(Box::new(SlowWriter(false)));
        let mut reader = BodyReader::new(body, mode, BodyExtras::default());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut pauses = Vec::new();
        loop {
            let mut update = AttemptUpdate::default();
            let polled = reader.poll(&mut update, &mut cx);
            pauses.push(update.pauses);
            if polled.is_ready() {
                break;
            }
        }
        // Before the chunk, before the end is seen, and at the end itself.
        let [on, off_on, off] = [vec![true], vec![false, true], vec![false]];
        assert_eq!(pauses, [on, off_on.clone(), off_on, off]);
    }
}
