//! One HTTP exchange: from the request of an attempt to the end of the response body.

pub(crate) mod attempt_set;
#[cfg(feature = "cache")]
mod body_copy;
mod body_reader;
pub(crate) mod hooks;
pub(crate) mod wire;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_channel::Sender;
use bytes::Bytes;
use fetch_proto::{HookStage, Input};
use futures_core::Stream;
use futures_lite::stream::{self, Empty};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode, Version};
use pin_project_lite::pin_project;
use smallvec::SmallVec;

use crate::driver::exchange::attempt_set::PollAttempt;
use crate::driver::exchange::body_reader::BodyReader;
use crate::driver::exchange::hooks::{Classification, Classifier, PeekedBody, PendingRequest};
use crate::model::hook::verdict::Verdict;
use crate::model::save::{BodyWriter, SaveReceipt};
use crate::transport::Transport;
use crate::transport::error::TransportError;
use crate::transport::message::{IncomingResponse, OutgoingRequest};
use crate::transport::progress::{AttemptProgress, BodyDemand};
use crate::transport::response_headers::ResponseHeaders;

/// Starts the exchange of one attempt.
pub(crate) fn start_exchange<T: Transport>(
    transport: &Arc<T>,
    start: ExchangeStart,
    progress: AttemptProgress,
) -> impl AttemptExchange + use<T> {
    match start {
        ExchangeStart::Request {
            classifier,
            request,
        } => TransportExchange {
            classifier,
            state: match request {
                RequestStart::Prepared { has_hooks, request } => {
                    let transport = transport.clone();
                    ExchangeState::Preparing {
                        has_hooks,
                        is_started: false,
                        request,
                        send: Some(Box::new(move |request| transport.send(request, progress))),
                    }
                }
                RequestStart::Ready(request) => ExchangeState::Sending {
                    response: transport.send(request, progress),
                },
            },
        },
        #[cfg(feature = "cache")]
        ExchangeStart::Stored(parts) => TransportExchange {
            classifier: None,
            state: ExchangeState::Deciding {
                body: None,
                head: Some(parts),
                mode: None,
            },
        },
    }
}

/// With what an exchange begins.
pub(crate) enum ExchangeStart {
    /// A request is sent, and its response is classified by a hook, if there is one.
    Request {
        classifier: Option<Box<Classifier>>,
        request: RequestStart,
    },
    /// Nothing is sent: this is the head of a stored response.
    #[cfg(feature = "cache")]
    Stored(ResponseParts),
}

/// The request with which an exchange begins.
pub(crate) enum RequestStart {
    /// It is sent if those who decide about it allow it.
    Prepared {
        /// Whether hooks decide, and not only a check of redirects.
        has_hooks: bool,
        request: PendingRequest,
    },
    /// It is sent as it is.
    Ready(OutgoingRequest),
}

/// An exchange as the driver sees it, independent of its transport.
pub(crate) trait AttemptExchange:
    PollAttempt<Update = AttemptUpdate> + Send + 'static
{
    /// Decides what happens to the response body. The exchange waits for it after the head.
    fn set_body_mode(self: Pin<&mut Self>, mode: BodyMode, extras: BodyExtras);

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
    /// What happened to hooks.
    pub(crate) hooks: Vec<Input>,
    /// Whether a hook has changed the fields of the request.
    #[cfg(feature = "cache")]
    pub(crate) is_changed: bool,
    /// What the attempt leaves to the next one, if it failed while its body was received.
    pub(crate) unfinished: Option<UnfinishedBody>,
    /// For each change: whether the exchange now waits for the body's consumer or writer.
    pub(crate) pauses: Vec<bool>,
    /// What a hook has decided about the response with this head.
    pub(crate) verdict: Option<Verdict>,
}

/// The head of a response.
#[derive(Clone, Debug)]
pub(crate) struct ResponseParts {
    /// What the cache did.
    #[cfg(feature = "cache")]
    pub(crate) cache: Option<fetch_proto::cache::CacheStatus>,
    /// The fields of the coded body, if the transport decodes it.
    pub(crate) coded_headers: Option<Box<HeaderMap>>,
    pub(crate) headers: ResponseHeaders,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
}

impl ResponseParts {
    /// Whether the body lasts until the server closes the connection (RFC 9112, section 6.3). Unknown, and
    /// therefore false, for a body that the transport decodes.
    pub(crate) fn ends_with_connection(&self) -> bool {
        let has = |name| self.headers.contains_key(name);
        self.version < Version::HTTP_2
            && self.coded_headers.is_none()
            && !has(CONTENT_LENGTH)
            && !has(TRANSFER_ENCODING)
    }
}

/// What the cache does with a body, besides its mode. Nothing by default, and nothing without a cache.
#[derive(Debug, Default)]
pub(crate) struct BodyExtras {
    /// Copies the body, as long as it is no larger than this.
    #[cfg(feature = "cache")]
    pub(crate) copy_limit: Option<u64>,
    /// Drops what the network brings, and delivers only the stored body.
    #[cfg(feature = "cache")]
    pub(crate) drops_received: bool,
    /// This is delivered first.
    #[cfg(feature = "cache")]
    pub(crate) stored: Option<Bytes>,
}

/// The chunks of a body, usually one.
pub(crate) type BodyChunks = SmallVec<[Bytes; 1]>;

/// A body that was received to its end.
#[derive(Debug, Default)]
pub(crate) struct ReceivedBody {
    /// The body, if it was collected.
    pub(crate) chunks: BodyChunks,
    /// A copy for the cache.
    #[cfg(feature = "cache")]
    pub(crate) copy: Option<BodyChunks>,
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
    /// Only what has arrived is read; the connection is closed if that is not all.
    Skip,
    /// It is written to this writer.
    Save(Box<dyn BodyWriter>),
    /// It is sent to the caller, chunk by chunk, after the chunk that is left from an earlier attempt.
    Stream(Sender<Bytes>, Option<Bytes>),
}

impl BodyExtras {
    /// Whether the stored body replaces the received one.
    fn drops_received(&self) -> bool {
        #[cfg(feature = "cache")]
        return self.drops_received;
        #[cfg(not(feature = "cache"))]
        false
    }

    /// Whether chunks are needed that the mode does not need.
    pub(crate) fn needs_chunks(&self) -> bool {
        #[cfg(feature = "cache")]
        return self.copy_limit.is_some();
        #[cfg(not(feature = "cache"))]
        false
    }

    /// The body to deliver first.
    fn into_stored(self) -> Option<Bytes> {
        #[cfg(feature = "cache")]
        return self.stored;
        #[cfg(not(feature = "cache"))]
        None
    }
}

impl BodyMode {
    /// How much of the body the transport must pass on.
    pub(crate) fn demand(&self) -> BodyDemand {
        match self {
            Self::Collect => BodyDemand::Whole,
            Self::Complete(_) | Self::Discard | Self::Lost | Self::Skip => BodyDemand::Nothing,
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
        classifier: Option<Box<Classifier>>,
        #[pin]
        state: ExchangeState<F, B>,
    }
}

pin_project! {
    #[project = ExchangeStateProjection]
    enum ExchangeState<F, B> {
        Preparing {
            has_hooks: bool,
            is_started: bool,
            request: PendingRequest,
            send: Option<SendRequest<F>>,
        },
        Sending { #[pin] response: F },
        Classifying {
            body: Option<PeekedBody<B>>,
            classification: Classification,
            head: Option<ResponseParts>,
        },
        Deciding { body: Option<PeekedBody<B>>, head: Option<ResponseParts>, mode: Option<(BodyMode, BodyExtras)> },
        Replaying { reader: BodyReader<Empty<Result<Bytes, TransportError>>> },
        Reading { reader: BodyReader<PeekedBody<B>> },
    }
}

/// Sends a request that was prepared.
type SendRequest<F> = Box<dyn FnOnce(OutgoingRequest) -> F + Send>;

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
                ExchangeStateProjection::Preparing {
                    has_hooks,
                    is_started,
                    request,
                    send,
                } => {
                    if *has_hooks && !std::mem::replace(is_started, true) {
                        let started = Input::HookStarted(HookStage::BeforeAttempt);
                        update.hooks.push(started);
                    }
                    let prepared = match ready!(request.as_mut().poll(cx)) {
                        Ok(prepared) => prepared,
                        Err(error) => return finish(update, Err(error)),
                    };
                    if *has_hooks {
                        update.hooks.push(Input::HookEnded);
                    }
                    #[cfg(feature = "cache")]
                    (update.is_changed = prepared.is_changed);
                    let Some(send) = send.take() else {
                        return Poll::Pending;
                    };
                    ExchangeState::Sending {
                        response: send(prepared.request),
                    }
                }
                ExchangeStateProjection::Sending { response } => match ready!(response.poll(cx)) {
                    Ok(IncomingResponse {
                        body,
                        coded_headers,
                        headers,
                        status,
                        version,
                    }) => {
                        let head = Some(ResponseParts {
                            #[cfg(feature = "cache")]
                            cache: None,
                            coded_headers,
                            headers,
                            status,
                            version,
                        });
                        let body = Some(PeekedBody::new(body));
                        let classifier = this.classifier.take();
                        match classifier.filter(|classifier| classifier.applies_to(status)) {
                            Some(classifier) => {
                                let started = Input::HookStarted(HookStage::Classify);
                                update.hooks.push(started);
                                ExchangeState::Classifying {
                                    body,
                                    classification: Classification::new(classifier),
                                    head,
                                }
                            }
                            None => ExchangeState::Deciding {
                                body,
                                head,
                                mode: None,
                            },
                        }
                    }
                    Err(error) => return finish(update, Err(error)),
                },
                ExchangeStateProjection::Classifying {
                    body,
                    classification,
                    head,
                } => {
                    if let (Some(body), Some(head)) = (body.as_mut(), &*head) {
                        let verdict = ready!(classification.poll(head, body, cx));
                        update.verdict = Some(verdict);
                        update.hooks.push(Input::HookEnded);
                    }
                    ExchangeState::Deciding {
                        body: body.take(),
                        head: head.take(),
                        mode: None,
                    }
                }
                ExchangeStateProjection::Deciding { body, head, mode } => {
                    if let Some(head) = head.take() {
                        update.head = Some(head);
                    }
                    // The driver polls again after its decision.
                    let Some((mode, extras)) = mode.take() else {
                        return Poll::Pending;
                    };
                    match body.take().filter(|_| !extras.drops_received()) {
                        Some(body) => ExchangeState::Reading {
                            reader: BodyReader::new(body, mode, extras),
                        },
                        None => ExchangeState::Replaying {
                            reader: BodyReader::new(stream::empty(), mode, extras),
                        },
                    }
                }
                ExchangeStateProjection::Replaying { reader } => {
                    let result = ready!(reader.poll(update, cx));
                    return finish(update, result);
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
    fn set_body_mode(self: Pin<&mut Self>, decided: BodyMode, extras: BodyExtras) {
        if let ExchangeStateProjection::Deciding { mode, .. } = self.project().state.project() {
            *mode = Some((decided, extras));
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
