//! Between the core's words and those of a transport.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::SystemTime;

use fetch_proto::{Attempt, Head};
use http::{HeaderMap, header};

use crate::driver::active::Live;
use crate::driver::exchange::Parts;
use crate::driver::job::Job;
use crate::fields::rate_limit;
use crate::fields::retry_after::parse_retry_after;
use crate::model::request::Keep;
use crate::transport::message::{Outgoing, RequestBody};

/// What else must be the same for two requests of one method and URL to be one: all header fields,
/// the path as it is sent, and whether the body is kept.
pub(super) fn share_key(job: &Job, common: &HeaderMap) -> u64 {
    let mut hasher = DefaultHasher::new();
    for headers in [common, &job.request.headers] {
        for (name, value) in headers {
            (name.as_str(), value.as_bytes()).hash(&mut hasher);
        }
        0xff_u8.hash(&mut hasher);
    }
    job.request.path_as_is.hash(&mut hasher);
    (job.request.keep == Keep::Body).hash(&mut hasher);
    hasher.finish()
}

/// What the core must know of a response's head.
pub(super) fn head(parts: &Parts) -> Head {
    let field = |name| parts.headers.get(name).map(http::HeaderValue::as_bytes);
    let location = field(header::LOCATION).map(String::from_utf8_lossy);
    let retry_after = field(header::RETRY_AFTER).and_then(|value| std::str::from_utf8(value).ok());
    Head {
        location: location.map(|location| location.into_owned().into_boxed_str()),
        pause: rate_limit::pause(&parts.headers, SystemTime::now),
        retry_after: retry_after.and_then(|value| parse_retry_after(value, SystemTime::now())),
        status: parts.status.as_u16(),
    }
}

/// The request as it goes over the wire.
pub(super) fn outgoing(attempt: &Attempt, live: &mut Live, common: &Arc<HeaderMap>) -> Outgoing {
    let lost_body = live.has_body && !attempt.send_body;
    let own = &live.request.headers;
    let headers = match own.is_empty() && attempt.send_credentials && !lost_body {
        true => common.clone(),
        false => Arc::new(headers(common, own, attempt.send_credentials, lost_body)),
    };
    let body = match &mut live.request.body {
        _ if !attempt.send_body => RequestBody::Empty,
        RequestBody::Bytes(bytes) => RequestBody::Bytes(bytes.clone()),
        once => core::mem::take(once),
    };
    Outgoing {
        body,
        fresh_connection: attempt.fresh_connection,
        headers,
        max_body: attempt.max_body,
        method: method(&attempt.method),
        path_as_is: live.request.target_as_is(&attempt.url),
        url: attempt.url.clone(),
    }
}

/// The fields of one request: its own in place of the common ones, and without what it may not say.
fn headers(common: &HeaderMap, own: &HeaderMap, credentials: bool, lost_body: bool) -> HeaderMap {
    let mut headers = common.clone();
    for name in own.keys() {
        headers.remove(name);
    }
    for (name, value) in own {
        headers.append(name, value.clone());
    }
    if !credentials {
        drop_credentials(&mut headers);
    }
    if lost_body {
        // A redirect dropped the body, and with it what describes it.
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

fn drop_credentials(headers: &mut HeaderMap) {
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

fn method(method: &fetch_proto::Method) -> http::Method {
    use fetch_proto::Method as M;
    match method {
        M::Get => http::Method::GET,
        M::Head => http::Method::HEAD,
        M::Post => http::Method::POST,
        other => http::Method::from_bytes(other.as_str().as_bytes()).unwrap_or_default(),
    }
}
