//! The request as HTTP/2 wants it.

use std::sync::{Arc, OnceLock};

use fetch_driver::{Failure, Marks, Outgoing, RequestBody, TransportError};
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TE, UPGRADE};
use http::uri::{Parts, Scheme, Uri};
use http::{Request, header};

use super::link::Link;
use crate::outgoing::{self, OutgoingBody};

/// Why the caller's own stream could not be sent; HTTP/2 itself tells only that it was not.
pub(crate) type Fault = Arc<OnceLock<String>>;

/// Builds the request for `link`. `accept` is sent as `Accept-Encoding` if there is none yet.
pub(super) fn request(
    outgoing: Outgoing,
    link: &Link,
    accept: Option<HeaderValue>,
    marks: Marks,
) -> Result<(Request<OutgoingBody>, Option<Fault>), TransportError> {
    let as_is = outgoing.path_as_is.clone();
    let (mut head, body, url) = outgoing::head(outgoing, accept)?;
    let path = outgoing::origin_form(&url, as_is)?;
    // The authority says it.
    head.headers.remove(HOST);
    strip_connection(&mut head.headers);
    let mut target = Parts::default();
    target.scheme = Some(match link.pulse.origin.key().tls {
        true => Scheme::HTTPS,
        false => Scheme::HTTP,
    });
    target.authority = Some(link.authority.clone());
    target.path_and_query = path.into_parts().path_and_query;
    head.uri = Uri::from_parts(target)
        .map_err(|e| TransportError::new(Failure::Unsupported, format!("request target: {e}")))?;
    let fault = matches!(body, RequestBody::Stream { .. }).then(Fault::default);
    let body = OutgoingBody::shared(body, marks, fault.clone());
    Ok((Request::from_parts(head, body), fault))
}

/// Removes what is about one HTTP/1 connection (RFC 9113, section 8.2.2).
fn strip_connection(headers: &mut HeaderMap) {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
    const SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
    for name in [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        SETTINGS,
        UPGRADE,
        header::TRANSFER_ENCODING,
    ] {
        headers.remove(name);
    }
    if headers.get(TE).is_some_and(|te| te != "trailers") {
        headers.remove(TE);
    }
}
