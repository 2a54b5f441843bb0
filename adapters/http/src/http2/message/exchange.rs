//! One request and its response head over a shared connection.

use fetch_driver::{AttemptProgress, OutgoingRequest, TransportError};
use http::response::Parts;
use http::{HeaderMap, HeaderValue};

use super::body::H2Body;
use super::request;
use crate::http2::error;
use crate::http2::lease::StreamLease;

/// Sends `outgoing` on the leased stream and waits for the head of the response.
///
/// `accept` is sent as `Accept-Encoding` if the request has none. `reused` is true if the
/// connection was open before this request.
pub(crate) async fn exchange(
    mut lease: StreamLease,
    outgoing: OutgoingRequest,
    accept: Option<HeaderValue>,
    reused: bool,
    max_head: usize,
    progress: AttemptProgress,
) -> Result<(Parts, H2Body), TransportError> {
    lease.head_size = head_size(&outgoing);
    let (request, upload) = request::build(outgoing, &lease.handle, accept, progress.clone())?;
    lease.upload = upload;
    let (version, authority) = ("HTTP/2", &lease.handle.authority);
    // As over HTTP/1.1: `GET /path HTTP/2` and `Host: authority`.
    let line = request.method().as_str().len()
        + request
            .uri()
            .path_and_query()
            .map_or(1, |path| path.as_str().len());
    let size =
        line + version.len() + authority.as_str().len() + 14 + fields_size(request.headers());
    progress.set_request_head(size);
    progress.add_sent(size);
    let mut sender = lease.handle.sender.clone();
    let shared = &lease.handle.shared;
    let Some(sent) = shared.send(|| sender.try_send_request(request)) else {
        return Err(error::unsent_error(&lease));
    };
    let response = match sent.await {
        Ok(response) => response,
        Err(mut failed) => {
            let is_unsent = failed.take_message().is_some();
            let native = failed.into_error();
            if error::is_connection_end(&native) {
                shared.wait_ended().await;
            }
            let error = error::head_error(native, is_unsent, reused, &lease, max_head);
            return Err(error);
        }
    };
    lease.mark_answered();
    let (head, body) = response.into_parts();
    // As over HTTP/1.1: `HTTP/2 200 `.
    progress.set_response_head(15 + fields_size(&head.headers));
    Ok((head, H2Body::new(body, lease, progress)))
}

/// The size of header fields as lines.
fn fields_size(headers: &HeaderMap) -> usize {
    let fields = headers.iter();
    fields
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum()
}

/// The size of the request's head as servers count it (RFC 9113, section 6.5.2).
fn head_size(request: &OutgoingRequest) -> usize {
    let fields = request.headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + 32);
    request.url.as_str().len() + fields.sum::<usize>()
}
