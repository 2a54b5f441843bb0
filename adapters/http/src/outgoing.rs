//! The request as hyper wants it: target, header fields, body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_driver::{BodyStream, Failure, Outgoing, RequestBody, TransportError};
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, PROXY_AUTHORIZATION, RANGE,
    TRANSFER_ENCODING,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, Uri};
use http_body::{Body, Frame, SizeHint};
use std::sync::Arc;
use url::{Position, Url};

use crate::conn::{Conn, Shared};
use crate::origin::{Serves, host_header};

/// The largest piece of a body handed to hyper at once: it copies each one behind the head.
const PIECE: usize = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Builds the request for `conn`. `accept` is sent as `Accept-Encoding` if there is none yet.
pub(crate) fn request(
    outgoing: Outgoing,
    conn: &Conn,
    accept: Option<HeaderValue>,
) -> Result<Request<OutgoingBody>, TransportError> {
    let path = outgoing.path_as_is.clone();
    let (mut head, body, url) = head(outgoing, accept)?;
    head.uri = match conn.origin.serves() {
        Serves::Server(host) => {
            head.headers.insert(HOST, host.clone());
            origin_form(&url, path)?
        }
        Serves::Proxy(authorization) => {
            head.headers.insert(HOST, host_header(&url)?);
            if let Some(value) = authorization {
                head.headers.insert(PROXY_AUTHORIZATION, value.clone());
            }
            absolute_form(&url, path.as_ref())?
        }
    };
    let body = OutgoingBody::new(body, Progress::Alone(conn.shared.clone()));
    Ok(Request::from_parts(head, body))
}

/// What a request is over whichever connection: all but its target and the `Host` field. Its URL
/// comes back.
pub(crate) fn head(
    outgoing: Outgoing,
    accept: Option<HeaderValue>,
) -> Result<(Parts, RequestBody, Arc<Url>), TransportError> {
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
    // A part of a coded body could not be decoded.
    let settled = headers.contains_key(ACCEPT_ENCODING) || headers.contains_key(RANGE);
    if let Some(accept) = accept.filter(|_| !settled) {
        headers.insert(ACCEPT_ENCODING, accept);
    }
    let expects_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    if expects_body && body.length() == Some(0) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let (mut head, ()) = Request::new(()).into_parts();
    head.headers = headers;
    head.method = method;
    Ok((head, body, url))
}

/// Path and query, `as_is` if they are to be sent so.
pub(crate) fn origin_form(url: &Url, as_is: Option<PathAndQuery>) -> Result<Uri, TransportError> {
    if let Some(path) = as_is {
        return Ok(Uri::from(path));
    }
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let target = PathAndQuery::try_from(target)
        .map_err(|e| TransportError::new(Failure::Unsupported, format!("request target: {e}")))?;
    Ok(Uri::from(target))
}

/// The whole URL but for user name and password: what a proxy is asked for.
fn absolute_form(url: &Url, as_is: Option<&PathAndQuery>) -> Result<Uri, TransportError> {
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let path = as_is.map_or(path, PathAndQuery::as_str);
    Uri::try_from(format!("{}://{host}{path}", url.scheme()))
        .map_err(|e| TransportError::new(Failure::Unsupported, format!("request target: {e}")))
}

/// A request's body, which tells when it is all handed over.
pub(crate) struct OutgoingBody {
    kind: Kind,
    progress: Progress,
}

/// Who wants to know how a body gets on.
enum Progress {
    /// The connection, which the request has alone.
    Alone(Arc<Shared>),
    /// The request itself, on a shared connection.
    #[cfg(feature = "http2")]
    Shared {
        fault: Option<crate::http2::Fault>,
        marks: Option<fetch_driver::Marks>,
    },
}

impl Progress {
    fn has_uploaded(&mut self) {
        match self {
            Self::Alone(shared) => shared.has_uploaded(),
            #[cfg(feature = "http2")]
            Self::Shared { marks, .. } => {
                if let Some(marks) = marks.take() {
                    marks.mark(fetch_driver::Phase::Sent);
                }
            }
        }
    }

    /// HTTP/1 tells the error itself.
    #[cfg(feature = "http2")]
    fn has_failed(&self, error: &BoxError) {
        if let Self::Shared {
            fault: Some(fault), ..
        } = self
        {
            let _ = fault.set(error.to_string());
        }
    }
}

enum Kind {
    Bytes(Bytes),
    Stream {
        left: Option<u64>,
        stream: BodyStream,
    },
}

impl OutgoingBody {
    #[cfg(feature = "http2")]
    pub(crate) fn shared(
        body: RequestBody,
        marks: fetch_driver::Marks,
        fault: Option<crate::http2::Fault>,
    ) -> Self {
        let marks = Some(marks);
        let mut this = Self::new(body, Progress::Shared { fault, marks });
        // It will not be asked for anything then.
        if this.is_end_stream() {
            this.progress.has_uploaded();
        }
        this
    }

    fn new(body: RequestBody, progress: Progress) -> Self {
        let kind = match body {
            RequestBody::Bytes(bytes) => Kind::Bytes(bytes),
            RequestBody::Empty => Kind::Bytes(Bytes::new()),
            RequestBody::Stream { length, stream } => Kind::Stream {
                left: length,
                stream,
            },
        };
        Self { kind, progress }
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
            this.progress.has_uploaded();
        }
        #[cfg(feature = "http2")]
        if let Some(Err(error)) = &next {
            this.progress.has_failed(error);
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
