//! Translation between the core's types and those of a transport.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::SystemTime;

use fetch_proto::{Attempt, HeadSummary};
use http::{HeaderMap, header};

use crate::driver::exchange::ResponseParts;
use crate::fields::rate_limit;
use crate::fields::retry_after::parse_retry_after;
use crate::model::request::{BodyRetention, Request};
use crate::transport::message::{OutgoingRequest, RequestBody};

/// A hash of what must be equal, besides method and URL, for requests to share one response: all
/// header fields, the path as sent, and whether the body is collected.
pub(crate) fn sharing_key(request: &Request, common: &HeaderMap) -> u64 {
    let mut hasher = DefaultHasher::new();
    for headers in [common, &request.headers] {
        for (name, value) in headers {
            (name.as_str(), value.as_bytes()).hash(&mut hasher);
        }
        0xff_u8.hash(&mut hasher);
    }
    request.path_as_is.hash(&mut hasher);
    (request.body_retention == BodyRetention::Collect).hash(&mut hasher);
    hasher.finish()
}

/// The parts of a response's head on which the core's decisions depend.
pub(crate) fn engine_head(parts: &ResponseParts) -> HeadSummary {
    let field = |name| parts.headers.get(name).map(http::HeaderValue::as_bytes);
    let location = field(header::LOCATION).map(String::from_utf8_lossy);
    let retry_after = field(header::RETRY_AFTER).and_then(|value| std::str::from_utf8(value).ok());
    HeadSummary::status(parts.status.as_u16())
        .location(location.map(|location| location.into_owned().into_boxed_str()))
        .pause(rate_limit::wait_until_reset(
            &parts.headers,
            SystemTime::now,
        ))
        .retry_after(retry_after.and_then(|value| parse_retry_after(value, SystemTime::now())))
}

/// The request of `attempt` as it goes over the wire. Takes the body from `request` if it can be
/// sent only once. `has_body` is true if the caller's request had one.
pub(crate) fn outgoing_request(
    attempt: &Attempt,
    request: &mut Request,
    has_body: bool,
    common: &Arc<HeaderMap>,
) -> OutgoingRequest {
    let lost_body = has_body && !attempt.send_body;
    let own = &request.headers;
    let headers = match own.is_empty() && attempt.send_credentials && !lost_body {
        true => common.clone(),
        false => Arc::new(merge_headers(
            common,
            own,
            attempt.send_credentials,
            lost_body,
        )),
    };
    let body = match &mut request.body {
        _ if !attempt.send_body => RequestBody::Empty,
        RequestBody::Bytes(bytes) => RequestBody::Bytes(bytes.clone()),
        once => core::mem::take(once),
    };
    OutgoingRequest {
        body,
        fresh_connection: attempt.fresh_connection,
        headers,
        max_body: attempt.max_body,
        method: http_method(&attempt.method),
        repeatable: attempt.repeatable,
        path_as_is: request.unchanged_target(&attempt.url),
        url: attempt.url.clone(),
    }
}

/// The header fields of one request: its own replace the common ones, and forbidden ones are removed.
fn merge_headers(
    common: &HeaderMap,
    own: &HeaderMap,
    credentials: bool,
    lost_body: bool,
) -> HeaderMap {
    let mut headers = common.clone();
    for name in own.keys() {
        headers.remove(name);
    }
    for (name, value) in own {
        headers.append(name, value.clone());
    }
    if !credentials {
        remove_credentials(&mut headers);
    }
    if lost_body {
        // A redirect dropped the body, and so the fields that describe it.
        for name in [
            header::CONTENT_ENCODING,
            header::CONTENT_LANGUAGE,
            header::CONTENT_TYPE,
        ] {
            headers.remove(name);
        }
    }
    headers
}

fn remove_credentials(headers: &mut HeaderMap) {
    for name in [
        header::AUTHORIZATION,
        header::COOKIE,
        header::PROXY_AUTHORIZATION,
    ] {
        headers.remove(name);
    }
    let secret: Vec<_> = headers
        .iter()
        .filter(|(_, value)| value.is_sensitive())
        .map(|(name, _)| name.clone())
        .collect();
    for name in secret {
        headers.remove(name);
    }
}

fn http_method(method: &fetch_proto::Method) -> http::Method {
    use fetch_proto::Method as M;
    match method {
        M::Get => http::Method::GET,
        M::Head => http::Method::HEAD,
        M::Post => http::Method::POST,
        other => http::Method::from_bytes(other.as_str().as_bytes()).unwrap_or_default(),
    }
}
