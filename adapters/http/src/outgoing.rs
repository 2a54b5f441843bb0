//! The request as hyper wants it: target, header fields, body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{BodyStream, Failure, Outgoing, RequestBody, TransportError};
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, RANGE, TRANSFER_ENCODING,
};
use http::uri::PathAndQuery;
use http::{Method, Request, Uri};
use http_body::{Body, Frame, SizeHint};
use std::sync::Arc;
use url::{Position, Url};

use crate::conn::{Conn, Shared};

/// The largest piece of a body handed to hyper at once: it copies each one behind the head.
const PIECE: usize = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Builds the request for `conn`. `accept` is sent as `Accept-Encoding` if there is none yet.
pub(crate) fn request(
    outgoing: Outgoing,
    conn: &Conn,
    accept: Option<HeaderValue>,
) -> Result<Request<OutgoingBody>, TransportError> {
    let Outgoing {
        body,
        mut headers,
        method,
        url,
        ..
    } = outgoing;
    if method == Method::CONNECT {
        let text = "CONNECT asks for a tunnel, which is not a fetch";
        return Err(TransportError::new(Failure::Unsupported, text));
    }
    for ours in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(ours);
    }
    headers.insert(HOST, conn.origin.host_header());
    // A part of a coded body could not be decoded.
    let settled = headers.contains_key(ACCEPT_ENCODING) || headers.contains_key(RANGE);
    if let Some(accept) = accept.filter(|_| !settled) {
        headers.insert(ACCEPT_ENCODING, accept);
    }
    let expects_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    if expects_body && body.length() == Some(0) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut request = Request::new(OutgoingBody::new(body, conn.shared.clone()));
    *request.uri_mut() = origin_form(&url)?;
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    Ok(request)
}

fn origin_form(url: &Url) -> Result<Uri, TransportError> {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let target = PathAndQuery::try_from(target)
        .map_err(|e| TransportError::new(Failure::Unsupported, format!("request target: {e}")))?;
    Ok(Uri::from(target))
}

/// A request's body, which tells the connection when it is all handed over.
pub(crate) struct OutgoingBody {
    kind: Kind,
    shared: Arc<Shared>,
}

enum Kind {
    Bytes(Bytes),
    Stream {
        left: Option<u64>,
        stream: BodyStream,
    },
}

impl OutgoingBody {
    fn new(body: RequestBody, shared: Arc<Shared>) -> Self {
        let kind = match body {
            RequestBody::Bytes(bytes) => Kind::Bytes(bytes),
            RequestBody::Empty => Kind::Bytes(Bytes::new()),
            RequestBody::Stream { length, stream } => Kind::Stream {
                left: length,
                stream,
            },
        };
        Self { kind, shared }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let next = match &mut this.kind {
            Kind::Bytes(rest) if rest.is_empty() => None,
            Kind::Bytes(rest) => Some(Ok(rest.split_to(rest.len().min(PIECE)))),
            Kind::Stream { left, stream } => {
                let chunk = ready!(stream.as_mut().poll_next(cx));
                check_length(left, chunk).transpose()
            }
        };
        if this.is_end_stream() || next.is_none() {
            this.shared.has_uploaded();
        }
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Bytes(rest) => rest.is_empty(),
            Kind::Stream { left, .. } => *left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Bytes(rest) => SizeHint::with_exact(rest.len() as u64),
            Kind::Stream {
                left: Some(left), ..
            } => SizeHint::with_exact(*left),
            Kind::Stream { left: None, .. } => SizeHint::default(),
        }
    }
}

/// Passes a stream's chunk on unless it breaks the announced length.
fn check_length(
    left: &mut Option<u64>,
    chunk: Option<Result<Bytes, BoxError>>,
) -> Result<Option<Bytes>, BoxError> {
    let chunk = chunk.transpose()?;
    if let Some(left) = left {
        match &chunk {
            Some(bytes) => {
                *left = left
                    .checked_sub(bytes.len() as u64)
                    .ok_or("the body stream is longer than the length it was announced with")?;
            }
            None if *left > 0 => {
                return Err(format!("the body stream ended {left} bytes too early").into());
            }
            None => {}
        }
    }
    Ok(chunk)
}
