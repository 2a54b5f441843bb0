//! The request as HTTP/2 wants it.

use std::sync::Arc;

use fetch_driver::{Failure, Marks, Outgoing, TransportError};
use http::Request;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Parts, PathAndQuery, Scheme, Uri};
use url::{Position, Url};

use super::link::Link;
use super::upload::{OutgoingBody, Sending};
use crate::outgoing::{expects_body, may_accept, refuse_connect};

/// Builds the request for `link`. `accept` is sent as `Accept-Encoding` if there is none yet.
pub(super) fn request(
    outgoing: Outgoing,
    link: &Link,
    accept: Option<HeaderValue>,
    marks: Marks,
) -> Result<(Request<OutgoingBody>, Option<Arc<Sending>>), TransportError> {
    refuse_connect(&outgoing.method)?;
    let Outgoing {
        body,
        headers,
        method,
        path_as_is,
        url,
        ..
    } = outgoing;
    let mut headers = Arc::unwrap_or_clone(headers);
    strip_connection(&mut headers);
    if let Some(accept) = accept.filter(|_| may_accept(&headers)) {
        headers.insert(ACCEPT_ENCODING, accept);
    }
    if expects_body(&method) && body.length() == Some(0) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut target = Parts::default();
    target.scheme = Some(match link.pulse.origin.key().tls {
        true => Scheme::HTTPS,
        false => Scheme::HTTP,
    });
    target.authority = Some(link.authority.clone());
    target.path_and_query = Some(path(&url, path_as_is)?);
    let uri = Uri::from_parts(target).map_err(unsupported)?;
    let sending = (body.length() != Some(0)).then(Arc::<Sending>::default);
    let body = OutgoingBody::new(body, marks, sending.clone());
    let mut request = Request::new(body);
    *request.headers_mut() = headers;
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    Ok((request, sending))
}

/// Path and query, `as_is` if they are to be sent so.
fn path(url: &Url, as_is: Option<PathAndQuery>) -> Result<PathAndQuery, TransportError> {
    let path = &url[Position::BeforePath..Position::AfterQuery];
    as_is.map_or_else(|| PathAndQuery::try_from(path).map_err(unsupported), Ok)
}

fn unsupported(error: impl std::fmt::Display) -> TransportError {
    TransportError::new(Failure::Unsupported, format!("request target: {error}"))
}

/// Removes what the authority says, or a frame, or what is about one HTTP/1 connection (RFC 9113,
/// section 8.2.2).
fn strip_connection(headers: &mut HeaderMap) {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
    const SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
    for name in [
        CONNECTION,
        CONTENT_LENGTH,
        HOST,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        SETTINGS,
        UPGRADE,
        TRANSFER_ENCODING,
    ] {
        headers.remove(name);
    }
    if headers.get(TE).is_some_and(|te| te != "trailers") {
        headers.remove(TE);
    }
}
