//! One HTTP exchange: from the request of an attempt to the end of the response body.

pub(crate) mod attempt_set;
pub(crate) mod wire;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_channel::{Sender, TrySendError};
use bytes::Bytes;
use fetch_proto::FailureKind;
use futures_core::Stream;
use http::{HeaderMap, StatusCode, Version};
use pin_project_lite::pin_project;
use smallvec::SmallVec;

use crate::driver::exchange::attempt_set::PollAttempt;
use crate::model::save::{BodyWriter, SaveError, SaveReceipt};
use crate::transport::Transport;
use crate::transport::error::TransportError;
use crate::transport::message::{IncomingResponse, OutgoingRequest};
use crate::transport::progress::{AttemptProgress, BodyDemand};

/// The most bytes of a body that one poll takes, so that other exchanges get their turn however fast
/// the transport reads. Transports that read the network themselves stop earlier.
const MAX_POLL_BYTES: usize = 1024 * 1024;

/// What a chunk counts at least.
const MIN_CHUNK: usize = 4 * 1024;

/// Starts the exchange of one attempt.
pub(crate) fn start_exchange<T: Transport>(
    transport: &T,
    request: OutgoingRequest,
    progress: AttemptProgress,
) -> impl AttemptExchange + use<T> {
    let response = transport.send(request, progress);
    TransportExchange {
        state: ExchangeState::Sending { response },
    }
}

/// An exchange as the driver sees it, independent of its transport.
pub(crate) trait AttemptExchange:
    PollAttempt<Update = AttemptUpdate> + Send + 'static
{
    /// Decides what happens to the response body. The exchange waits for it after the head.
    fn set_body_mode(self: Pin<&mut Self>, mode: BodyMode);

    /// Takes what an exchange that is aborted leaves to the next attempt.
    fn take_unfinished(self: Pin<&mut Self>) -> Option<UnfinishedBody>;
}

/// What an attempt whose body broke off leaves to the attempt that continues it.
pub(crate) enum UnfinishedBody {
    /// The chunk that the consumer of a stream has not taken yet.
    Chunk(Bytes),
    /// The part that was received of the body of a response that redirects.
    Redirect(BodyChunks),
    /// The writer of the bytes so far.
    Writer(Box<dyn BodyWriter>),
}

impl std::fmt::Debug for UnfinishedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Chunk(_) => "UnfinishedBody::Chunk",
            Self::Redirect(_) => "UnfinishedBody::Redirect",
            Self::Writer(_) => "UnfinishedBody::Writer",
        })
    }
}

/// What happened to an attempt during one poll.
#[derive(Debug, Default)]
pub(crate) struct AttemptUpdate {
    /// The length of the body chunks that arrived, in bytes.
    pub(crate) body_bytes: u64,
    pub(crate) end: Option<Result<ReceivedBody, TransportError>>,
    pub(crate) head: Option<ResponseParts>,
    /// What the attempt leaves to the next one, if it failed while its body was received.
    pub(crate) unfinished: Option<UnfinishedBody>,
    /// For each change: whether the exchange now waits for the body's consumer or writer.
    pub(crate) pauses: Vec<bool>,
}

/// The head of a response.
#[derive(Clone, Debug)]
pub(crate) struct ResponseParts {
    /// The fields of the coded body, if the transport decodes it.
    pub(crate) coded_headers: Option<Box<HeaderMap>>,
    pub(crate) headers: HeaderMap,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
}

/// The chunks of a body, usually one.
pub(crate) type BodyChunks = SmallVec<[Bytes; 1]>;

/// A body that was received to its end.
#[derive(Debug, Default)]
pub(crate) struct ReceivedBody {
    /// The body, if it was collected.
    pub(crate) chunks: BodyChunks,
    /// The receipt, if the body was saved.
    pub(crate) saved: Option<SaveReceipt>,
}

/// What happens to a response body.
#[derive(Debug)]
pub(crate) enum BodyMode {
    /// It is collected in memory.
    Collect,
    /// It is not read: nothing is missing of the body that this writer has saved, or of the stream.
    Complete(Option<Box<dyn BodyWriter>>),
    /// It is read and dropped.
    Discard,
    /// It cannot be read, because the bytes before it were lost.
    Lost,
    /// It is collected, although the fetch goes on to another URL.
    Redirect,
    /// It is written to this writer.
    Save(Box<dyn BodyWriter>),
    /// It is sent to the caller, chunk by chunk, after the chunk that is left from an earlier attempt.
    Stream(Sender<Bytes>, Option<Bytes>),
}

impl BodyMode {
    /// How much of the body the transport must pass on.
    pub(crate) fn demand(&self) -> BodyDemand {
        match self {
            Self::Collect => BodyDemand::Whole,
            Self::Complete(_) | Self::Discard | Self::Lost => BodyDemand::Nothing,
            Self::Redirect | Self::Save(_) | Self::Stream(..) => BodyDemand::Pieces,
        }
    }
}

pin_project! {
    /// Sends a request, waits for the decision on the response body, and reads the body accordingly.
    ///
    /// Not an async fn, because that would hold the transport's future twice: as its argument and as
    /// the future that it awaits. That future is large, and it is moved for each attempt.
    struct TransportExchange<F, B> {
        #[pin]
        state: ExchangeState<F, B>,
    }
}

pin_project! {
    #[project = ExchangeStateProjection]
    enum ExchangeState<F, B> {
        Sending { #[pin] response: F },
        Deciding { body: Option<B>, mode: Option<BodyMode> },
        Reading { reader: BodyReader<B> },
    }
}

/// A body that is being read.
struct BodyReader<B> {
    body: B,
    chunks: BodyChunks,
    /// Whether the end of the body was reached.
    ended: bool,
    mode: BodyMode,
    /// Whether a wait for the writer is reported as a pause.
    paused: bool,
    /// A chunk that waits for room in the consumer's channel.
    sending: Option<PendingSend>,
}

/// A chunk on its way to the consumer.
struct PendingSend {
    chunk: Bytes,
    /// Whether the consumer took the chunk.
    is_taken: Pin<Box<dyn Future<Output = bool> + Send>>,
}

impl<F, B> PollAttempt for TransportExchange<F, B>
where
    F: Future<Output = Result<IncomingResponse<B>, TransportError>>,
    B: Stream<Item = Result<Bytes, TransportError>> + Unpin,
{
    type Update = AttemptUpdate;

    fn poll(
        mut self: Pin<&mut Self>,
        update: &mut AttemptUpdate,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut this = self.as_mut().project();
        loop {
            let next = match this.state.as_mut().project() {
                ExchangeStateProjection::Sending { response } => match ready!(response.poll(cx)) {
                    Ok(IncomingResponse {
                        body,
                        coded_headers,
                        headers,
                        status,
                        version,
                    }) => {
                        update.head = Some(ResponseParts {
                            coded_headers,
                            headers,
                            status,
                            version,
                        });
                        ExchangeState::Deciding {
                            body: Some(body),
                            mode: None,
                        }
                    }
                    Err(error) => return finish(update, Err(error)),
                },
                ExchangeStateProjection::Deciding { body, mode } => {
                    // The driver polls again after its decision.
                    let Some(mode) = mode.take() else {
                        return Poll::Pending;
                    };
                    let Some(body) = body.take() else {
                        return Poll::Pending;
                    };
                    ExchangeState::Reading {
                        reader: BodyReader::new(body, mode),
                    }
                }
                ExchangeStateProjection::Reading { reader } => {
                    let result = ready!(reader.poll(update, cx));
                    if result.is_err() {
                        update.unfinished = reader.take_unfinished();
                    }
                    return finish(update, result);
                }
            };
            this.state.set(next);
        }
    }
}

impl<F, B> AttemptExchange for TransportExchange<F, B>
where
    F: Future<Output = Result<IncomingResponse<B>, TransportError>> + Send + 'static,
    B: Stream<Item = Result<Bytes, TransportError>> + Send + Unpin + 'static,
{
    fn set_body_mode(self: Pin<&mut Self>, decided: BodyMode) {
        if let ExchangeStateProjection::Deciding { mode, .. } = self.project().state.project() {
            *mode = Some(decided);
        }
    }

    fn take_unfinished(self: Pin<&mut Self>) -> Option<UnfinishedBody> {
        match self.project().state.project() {
            ExchangeStateProjection::Reading { reader } => reader.take_unfinished(),
            _ => None,
        }
    }
}

fn finish(update: &mut AttemptUpdate, result: Result<ReceivedBody, TransportError>) -> Poll<()> {
    update.end = Some(result);
    Poll::Ready(())
}

impl<B: Stream<Item = Result<Bytes, TransportError>> + Unpin> BodyReader<B> {
    fn new(body: B, mode: BodyMode) -> Self {
        Self {
            body,
            chunks: BodyChunks::new(),
            ended: matches!(mode, BodyMode::Complete(_)),
            mode,
            paused: false,
            sending: None,
        }
    }

    /// Takes what the next attempt needs to continue this body.
    fn take_unfinished(&mut self) -> Option<UnfinishedBody> {
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
    fn poll(
        &mut self,
        update: &mut AttemptUpdate,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ReceivedBody, TransportError>> {
        let mut taken = 0;
        loop {
            if taken >= MAX_POLL_BYTES {
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
                | BodyMode::Redirect => {}
            }
            let Some(chunk) = ready!(Pin::new(&mut self.body).poll_next(cx)) else {
                self.ended = true;
                continue;
            };
            let chunk = chunk?;
            update.body_bytes += chunk.len() as u64;
            taken += chunk.len().max(MIN_CHUNK);
            match &mut self.mode {
                BodyMode::Collect | BodyMode::Redirect => self.chunks.push(chunk),
                BodyMode::Complete(_) | BodyMode::Discard | BodyMode::Lost => {}
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
        Poll::Ready(Ok(ReceivedBody { chunks, saved }))
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

    use futures_lite::stream;

    use super::*;

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
            let mut reader = BodyReader::new(body, BodyMode::Discard);
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
    fn waiting_for_the_writer_is_reported_as_a_pause() {
        let body = stream::iter([Ok(Bytes::from_static(b"x"))]);
        let mut reader = BodyReader::new(body, BodyMode::Save(Box::new(SlowWriter(false))));
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
