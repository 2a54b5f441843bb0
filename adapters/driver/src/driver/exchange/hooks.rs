//! Calls the caller's functions before a request is sent and when a response head has arrived.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use fetch_proto::FailureKind;
use futures_core::Stream;
use http::{HeaderMap, StatusCode};
use url::Url;

use super::ResponseParts;
use crate::model::hook::attempt_request::AttemptRequest;
use crate::model::hook::attempt_response::AttemptResponse;
use crate::model::hook::verdict::Verdict;
use crate::model::hook::{AttemptContext, ClassifyHook, Hooks, PendingVerdict};
use crate::model::redirect_check::RedirectVerdict;
use crate::transport::error::TransportError;
use crate::transport::message::OutgoingRequest;

/// A request that waits for those who decide whether it is sent.
pub(crate) type PendingRequest =
    Pin<Box<dyn Future<Output = Result<PreparedRequest, TransportError>> + Send>>;

/// A request that may be sent.
pub(crate) struct PreparedRequest {
    /// Whether a hook has changed its fields, which the cache has seen before.
    #[cfg(feature = "cache")]
    pub(crate) is_changed: bool,
    pub(crate) request: OutgoingRequest,
}

/// Lets the check and the hooks decide about a request, one after the other.
pub(crate) fn prepare(
    request: OutgoingRequest,
    check: Option<RedirectVerdict>,
    hooks: &Hooks,
    context: AttemptContext,
) -> PendingRequest {
    let hooks = hooks.before_attempt.clone();
    Box::pin(async move {
        if let Some(check) = check {
            let verdict = check.await;
            verdict.map_err(|why| TransportError::new(FailureKind::Disallowed, why))?;
        }
        #[cfg(feature = "cache")]
        let before = request.headers.clone();
        let mut request = AttemptRequest { context, request };
        for hook in hooks {
            request = hook(request).await.map_err(|error| {
                let (kind, source) = error.into_parts();
                TransportError::new(kind, source)
            })?;
        }
        Ok(PreparedRequest {
            #[cfg(feature = "cache")]
            is_changed: request.request.headers != before,
            request: request.request,
        })
    })
}

/// What is needed to classify the response of an attempt.
pub(crate) struct Classifier {
    pub(crate) context: AttemptContext,
    pub(crate) hook: ClassifyHook,
    /// Whether the request asks for the rest of a body.
    pub(crate) is_continuation: bool,
    /// Whether the cache asks if its response is still valid.
    pub(crate) is_validation: bool,
    pub(crate) url: Arc<Url>,
}

impl Classifier {
    /// Whether the hook decides about a response with this status.
    pub(super) fn applies_to(&self, status: StatusCode) -> bool {
        let is_part = self.is_continuation
            && matches!(
                status,
                StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE
            );
        !(is_part || self.is_validation && status == StatusCode::NOT_MODIFIED)
    }
}

/// Reads the first bytes of a body, and waits for the hook to decide.
pub(super) struct Classification {
    classifier: Box<Classifier>,
    first_bytes: usize,
    verdict: Option<PendingVerdict>,
}

impl Classification {
    pub(super) fn new(classifier: Box<Classifier>) -> Self {
        Self {
            classifier,
            first_bytes: 0,
            verdict: None,
        }
    }

    pub(super) fn poll<B>(
        &mut self,
        head: &ResponseParts,
        body: &mut PeekedBody<B>,
        cx: &mut Context<'_>,
    ) -> Poll<Verdict>
    where
        B: Stream<Item = Result<Bytes, TransportError>> + Unpin,
    {
        let wanted = self.classifier.hook.first_bytes;
        while self.verdict.is_none() && self.first_bytes < wanted {
            match ready!(body.poll_peek(cx)) {
                Some(read) => self.first_bytes += read,
                None => break,
            }
        }
        let verdict = self.verdict.get_or_insert_with(|| {
            let Classifier {
                context, hook, url, ..
            } = &*self.classifier;
            (hook.call)(AttemptResponse {
                context: context.clone(),
                first_bytes: body.peeked(wanted),
                headers: HeaderMap::clone(&head.headers),
                status: head.status,
                url: url.clone(),
                version: head.version,
            })
        });
        verdict.as_mut().poll(cx)
    }
}

/// A body of which the first chunks may have been read ahead.
pub(super) struct PeekedBody<B> {
    body: B,
    /// Whether the body has ended, or failed, behind the chunks.
    is_ended: bool,
    chunks: VecDeque<Result<Bytes, TransportError>>,
}

impl<B: Stream<Item = Result<Bytes, TransportError>> + Unpin> PeekedBody<B> {
    pub(super) fn new(body: B) -> Self {
        Self {
            body,
            is_ended: false,
            chunks: VecDeque::new(),
        }
    }

    /// Reads a chunk ahead and returns its length; `None` at the end.
    fn poll_peek(&mut self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        if self.is_ended {
            return Poll::Ready(None);
        }
        let chunk = ready!(Pin::new(&mut self.body).poll_next(cx));
        self.is_ended = !matches!(chunk, Some(Ok(_)));
        let length = chunk
            .as_ref()
            .and_then(|chunk| Some(chunk.as_ref().ok()?.len()));
        self.chunks.extend(chunk);
        Poll::Ready(length)
    }

    /// The first bytes of what was read ahead, `most` at most.
    fn peeked(&self, most: usize) -> Bytes {
        let mut chunks = self.chunks.iter().filter_map(|chunk| chunk.as_ref().ok());
        match (chunks.next(), chunks.next()) {
            (None, _) => Bytes::new(),
            (Some(first), None) => first.slice(..first.len().min(most)),
            (Some(_), Some(_)) => {
                let mut bytes = BytesMut::new();
                for chunk in self.chunks.iter().flatten() {
                    let rest = most - bytes.len();
                    bytes.extend_from_slice(&chunk[..chunk.len().min(rest)]);
                }
                bytes.freeze()
            }
        }
    }
}

impl<B: Stream<Item = Result<Bytes, TransportError>> + Unpin> Stream for PeekedBody<B> {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(chunk) = self.chunks.pop_front() {
            return Poll::Ready(Some(chunk));
        }
        if self.is_ended {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_next(cx)
    }
}
