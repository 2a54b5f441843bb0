//! The head of a request over HTTP/2.

use std::sync::Arc;

use fetch_driver::{AttemptProgress, FailureKind, OutgoingRequest, TransportError};
use http::Request;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, Parts, PathAndQuery, Scheme, Uri};
use url::{Position, Url};

use crate::http2::handle::H2Handle;
use crate::http2::upload::{H2RequestBody, UploadStatus};
use fetch_transport_util::{expects_body, may_accept_codings, reject_connect};

/// Builds the request, and the status of its upload if it has a body. `accept` is sent as
/// `Accept-Encoding` if the request has none.
pub(super) fn build(
    outgoing: OutgoingRequest,
    handle: &H2Handle,
    accept: Option<HeaderValue>,
    progress: AttemptProgress,
) -> Result<(Request<H2RequestBody>, Option<Arc<UploadStatus>>), TransportError> {
    reject_connect(&outgoing.method)?;
    let OutgoingRequest {
        body,
        headers,
        method,
        path_as_is,
        url,
        ..
    } = outgoing;
    let mut headers = Arc::unwrap_or_clone(headers);
    // A field of the caller replaces the host of the URL.
    let own_host = headers.remove(HOST);
    remove_connection_fields(&mut headers);
    // The body is sent at once: flow control holds it back if the server wants that.
    headers.remove(EXPECT);
    if let Some(accept) = accept.filter(|_| may_accept_codings(&headers)) {
        headers.insert(ACCEPT_ENCODING, accept);
    }
    if expects_body(&method) && body.length() == Some(0) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut target = Parts::default();
    target.scheme = Some(match handle.shared.origin.key().tls {
        true => Scheme::HTTPS,
        false => Scheme::HTTP,
    });
    target.authority = Some(match own_host {
        Some(host) => Authority::try_from(host.as_bytes()).map_err(invalid_target)?,
        None => handle.authority.clone(),
    });
    target.path_and_query = Some(path_and_query(&url, path_as_is)?);
    let uri = Uri::from_parts(target).map_err(invalid_target)?;
    let status = (body.length() != Some(0)).then(Arc::<UploadStatus>::default);
    let body = H2RequestBody::new(body, progress, status.clone());
    let mut request = Request::new(body);
    *request.headers_mut() = headers;
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    Ok((request, status))
}

fn path_and_query(url: &Url, as_is: Option<PathAndQuery>) -> Result<PathAndQuery, TransportError> {
    let path = &url[Position::BeforePath..Position::AfterQuery];
    as_is.map_or_else(|| PathAndQuery::try_from(path).map_err(invalid_target), Ok)
}

fn invalid_target(error: impl std::fmt::Display) -> TransportError {
    TransportError::new(FailureKind::Unsupported, format!("request target: {error}"))
}

/// Removes fields that HTTP/2 expresses otherwise, or that concern one HTTP/1.1 connection (RFC 9113,
/// section 8.2.2).
fn remove_connection_fields(headers: &mut HeaderMap) {
    const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
    for name in [
        CONNECTION,
        CONTENT_LENGTH,
        HTTP2_SETTINGS,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
    if headers.get(TE).is_some_and(|te| te != "trailers") {
        headers.remove(TE);
    }
}
