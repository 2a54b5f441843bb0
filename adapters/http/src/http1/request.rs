//! A request's head, as it goes over the wire.

use fetch_driver::{Outgoing, TransportError};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
};
use http::uri::PathAndQuery;
use url::Position;

use crate::origin::{Origin, Serves, host_header};
use crate::outgoing::{expects_body, may_accept, refuse_connect};

/// Writes the head of `request`, as the server or proxy at `origin` wants it, to `out`. Its body is
/// `length` bytes, if that is known. `accept` is sent as `Accept-Encoding` if there is none yet.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Outgoing,
    length: Option<u64>,
    origin: &Origin,
    accept: Option<&HeaderValue>,
) -> Result<(), TransportError> {
    refuse_connect(&request.method)?;
    let url = &request.url;
    out.extend_from_slice(request.method.as_str().as_bytes());
    out.push(b' ');
    if let Serves::Proxy(_) = origin.serves() {
        // The whole URL but for user name and password.
        out.extend_from_slice(url.scheme().as_bytes());
        out.extend_from_slice(b"://");
        out.extend_from_slice(url[Position::BeforeHost..Position::AfterPort].as_bytes());
    }
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let path = request
        .path_as_is
        .as_ref()
        .map_or(path, PathAndQuery::as_str);
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    match origin.serves() {
        Serves::Server(host) => field(out, &HOST, host),
        Serves::Proxy(authorization) => {
            field(out, &HOST, &host_header(url)?);
            if let Some(value) = authorization {
                field(out, &PROXY_AUTHORIZATION, value);
            }
        }
    }
    fields(out, &request.headers, origin);
    if let Some(accept) = accept.filter(|_| may_accept(&request.headers)) {
        field(out, &http::header::ACCEPT_ENCODING, accept);
    }
    match length {
        Some(0) if !expects_body(&request.method) => {}
        Some(length) => field(out, &CONTENT_LENGTH, &HeaderValue::from(length)),
        None => field(
            out,
            &TRANSFER_ENCODING,
            &HeaderValue::from_static("chunked"),
        ),
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// The caller's fields, but for those that are the connection's business.
fn fields(out: &mut Vec<u8>, headers: &HeaderMap, origin: &Origin) {
    let to_proxy = matches!(origin.serves(), Serves::Proxy(Some(_)));
    for (name, value) in headers {
        let ours = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING].contains(name)
            || to_proxy && *name == PROXY_AUTHORIZATION;
        if !ours {
            field(out, name, value);
        }
    }
}

fn field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}
