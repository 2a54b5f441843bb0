//! The head of a request over HTTP/1.1.

use fetch_driver::{OutgoingRequest, TransportError};
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use http::uri::PathAndQuery;
use url::Position;

use crate::origin::{NextHop, Origin, host_header};
use fetch_transport_util::{expects_body, may_accept_codings, reject_connect};

/// Writes the head of `request` to `out`, in the form that the server or proxy at `origin` expects.
/// The body has `length` bytes, if that is known. `accept` is sent as `Accept-Encoding` if the
/// request has none.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &OutgoingRequest,
    length: Option<u64>,
    origin: &Origin,
    accept: Option<&HeaderValue>,
) -> Result<(), TransportError> {
    reject_connect(&request.method)?;
    let url = &request.url;
    out.extend_from_slice(request.method.as_str().as_bytes());
    out.push(b' ');
    let is_proxied = matches!(origin.next_hop(), NextHop::Proxy(..));
    if is_proxied {
        // The absolute form: the whole URL without user name and password.
        out.extend_from_slice(url.scheme().as_bytes());
        out.extend_from_slice(b"://");
        out.extend_from_slice(fetch_driver::url_host(url).as_bytes());
    }
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let path = request
        .path_as_is
        .as_ref()
        .map_or(path, PathAndQuery::as_str);
    // `*` has an absolute form without a path (RFC 9112, section 3.2.4).
    if !(is_proxied && path == "*") {
        out.extend_from_slice(path.as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    // A field of the caller replaces the host of the URL.
    let own_host = request.headers.get(HOST);
    match origin.next_hop() {
        NextHop::Server(host) => write_field(out, &HOST, own_host.unwrap_or(host)),
        NextHop::Proxy(authorization, headers) => {
            match own_host {
                Some(host) => write_field(out, &HOST, host),
                None => write_field(out, &HOST, &host_header(url)?),
            }
            if let Some(value) = authorization {
                write_field(out, &PROXY_AUTHORIZATION, value);
            }
            for (name, value) in &**headers {
                write_field(out, name, value);
            }
        }
    }
    write_fields(out, &request.headers, origin);
    let closes = request.headers.get(CONNECTION);
    let closes = closes.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    if closes || !request.repeatable {
        write_field(out, &CONNECTION, &HeaderValue::from_static("close"));
    }
    if let Some(accept) = accept.filter(|_| may_accept_codings(&request.headers)) {
        write_field(out, &ACCEPT_ENCODING, accept);
    }
    match length {
        Some(0) if !expects_body(&request.method) => {}
        Some(length) => write_field(out, &CONTENT_LENGTH, &HeaderValue::from(length)),
        None => {
            let chunked = HeaderValue::from_static("chunked");
            write_field(out, &TRANSFER_ENCODING, &chunked);
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Writes the caller's fields, except those that the transport sets itself.
fn write_fields(out: &mut Vec<u8>, headers: &HeaderMap, origin: &Origin) {
    let is_authorized = matches!(origin.next_hop(), NextHop::Proxy(Some(_), _));
    for (name, value) in headers {
        let is_ours = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING].contains(name)
            || is_authorized && *name == PROXY_AUTHORIZATION;
        if !is_ours {
            write_field(out, name, value);
        }
    }
}

fn write_field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}
