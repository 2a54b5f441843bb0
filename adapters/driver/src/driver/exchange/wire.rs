//! Translation between the core's types and those of a transport.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::SystemTime;

use fetch_proto::{
    Attempt, AuthChallenge, ContentRange, DigestChallenge, HeadSummary, RepresentationSummary,
    ResumePoint, ServerAuthentication, has_secret, is_sent_to_other_origins, location_text,
};
use fetch_retry_after::{RATE_LIMIT_FIELDS, parse_retry_after, rate_limit_wait};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

use crate::driver::exchange::ResponseParts;
use crate::fields::hsts::HstsStore;
use crate::model::request::credentials::basic_credentials;
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
/// `keeps_body`: whether the body is saved or streamed, so that it may be continued.
pub(crate) fn engine_head(parts: &ResponseParts, keeps_body: bool) -> HeadSummary {
    let headers = &parts.headers;
    let location = headers.first_value(&header::LOCATION).map(location_text);
    let retry_after = headers.first_value(&header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| std::str::from_utf8(value).ok());
    let head = HeadSummary::status(parts.status.as_u16());
    let head = match keeps_body {
        true => head.representation(representation(headers, parts.coded_headers.is_some())),
        false => head,
    };
    let pause = headers.may_contain_any(&RATE_LIMIT_FIELDS).then(|| {
        let fields = headers.iter();
        let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
        rate_limit_wait(fields, SystemTime::now)
    });
    head.location(location)
        .pause(pause.flatten())
        .retry_after(retry_after.and_then(|value| parse_retry_after(value, SystemTime::now())))
}

/// The head, with what it says about authentication. `has_stream`: the body of the request cannot be
/// hashed.
pub(crate) fn with_authentication(
    head: HeadSummary,
    parts: &ResponseParts,
    has_stream: bool,
) -> HeadSummary {
    const INFO: HeaderName = HeaderName::from_static("authentication-info");
    if head.status == 401 {
        let values = parts.headers.get_all(header::WWW_AUTHENTICATE).iter();
        let values = values.filter_map(|value| value.to_str().ok());
        let mut challenges = AuthChallenge::parse_all(values);
        challenges.retain(|one| {
            let digest = DigestChallenge::parse(one);
            !(has_stream && digest.is_some_and(|digest| digest.hashes_body()))
        });
        return head.authentication(ServerAuthentication::challenges(challenges));
    }
    let info = parts.headers.get(INFO).and_then(|info| info.to_str().ok());
    match info {
        Some(info) => head.authentication(ServerAuthentication::info(info)),
        None => head,
    }
}

/// The head, with an https URL in its `Location` if the target is stored as one of HSTS.
pub(crate) fn with_upgraded_location(
    head: HeadSummary,
    parts: &ResponseParts,
    from: &Url,
    hsts: &HstsStore,
) -> HeadSummary {
    let location = parts.headers.first_value(&header::LOCATION);
    let target = location.and_then(|location| from.join(&location_text(location)).ok());
    match target.and_then(|target| hsts.upgrade(&target)) {
        Some(upgraded) => head.location(Some(String::from(upgraded).into_boxed_str())),
        None => head,
    }
}

/// What a head says about the identity and the range of its body, which the transport may have decoded.
pub(crate) fn representation(headers: &HeaderMap, is_decoded: bool) -> RepresentationSummary {
    let field = |name| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then(|| value.trim())
    };
    let date = |name| httpdate::parse_http_date(field(name)?).ok();
    let is_coded = |value: &str| !value.is_empty() && !value.eq_ignore_ascii_case("identity");
    let coding = headers.get(header::CONTENT_ENCODING);
    let mut found = RepresentationSummary::default();
    found.age = date(header::DATE)
        .zip(date(header::LAST_MODIFIED))
        .and_then(|(date, modified)| date.duration_since(modified).ok());
    found.content_length = field(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
    found.content_range = field(header::CONTENT_RANGE).and_then(ContentRange::parse);
    found.etag = field(header::ETAG).map(Into::into);
    found.is_encoded = is_decoded
        || coding.is_some_and(|value| value.to_str().map_or(true, |value| is_coded(value.trim())));
    found.last_modified = field(header::LAST_MODIFIED).map(Into::into);
    found
}

/// The request of `attempt` as it goes over the wire. Takes the body from `request` if it can be
/// sent only once. `has_body` is true if the caller's request had one. Also returns the names of fields
/// that are not sent, because the origin is another than that which they were given for.
pub(crate) fn outgoing_request(
    attempt: &Attempt,
    request: &Request,
    has_body: bool,
    common: &Arc<HeaderMap>,
) -> (OutgoingRequest, Vec<HeaderName>) {
    let lost_body = has_body && !attempt.send_body;
    let own = &request.headers;
    let is_redirected = !attempt.send_credentials || lost_body || attempt.credentials.is_some();
    let mut withheld = Vec::new();
    let headers = match own.is_empty() && !is_redirected {
        true => common.clone(),
        false => {
            let mut headers = merge_headers(common, own);
            if !attempt.send_credentials {
                withheld = withhold(&mut headers);
            }
            if lost_body {
                remove_body_fields(&mut headers);
            }
            let is_callers = headers.contains_key(header::AUTHORIZATION) && !request.is_url_login();
            if let Some(pair) = &attempt.credentials
                && !is_callers
            {
                let value = basic_credentials(pair.user(), pair.password());
                headers.insert(header::AUTHORIZATION, value);
            }
            Arc::new(headers)
        }
    };
    let headers = match &attempt.resume {
        Some(point) => Arc::new(with_range(&headers, point)),
        None => headers,
    };
    let body = match attempt.send_body {
        true => request.body.open(),
        false => RequestBody::Empty,
    };
    let outgoing = OutgoingRequest {
        body,
        fresh_connection: attempt.fresh_connection,
        headers,
        max_body: attempt.max_body,
        method: http_method(&attempt.method),
        repeatable: attempt.repeatable,
        path_as_is: request.unchanged_target(&attempt.url),
        url: attempt.url.clone(),
    };
    (outgoing, withheld)
}

/// The URL whose cookies belong to the request: that of the server which `Host` names, as in curl, if
/// the caller has set it.
#[cfg(feature = "cookies")]
pub(crate) fn cookie_url(request: &OutgoingRequest) -> Arc<Url> {
    let host = request.headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    let named = host.and_then(|host| Url::parse(&format!("http://{host}/")).ok());
    let mut url = request.url.clone();
    if let Some(named) = named {
        // A host that a URL cannot have is ignored.
        _ = Arc::make_mut(&mut url).set_host(named.host_str());
    }
    url
}

/// The fields that ask for the rest of a body.
fn with_range(headers: &HeaderMap, point: &ResumePoint) -> HeaderMap {
    let mut headers = headers.clone();
    let mut set = |name: HeaderName, value: &str| match HeaderValue::from_str(value) {
        Ok(value) => drop(headers.insert(name, value)),
        // A validator of the caller that no field can have matches nothing.
        Err(_) => drop(headers.insert(name, HeaderValue::from_static("\"\""))),
    };
    set(header::RANGE, &point.range());
    if let Some(validator) = &point.validator {
        set(header::IF_RANGE, validator.as_str());
    }
    headers
}

/// The header fields of one request: its own replace the common ones.
pub(crate) fn merge_headers(common: &HeaderMap, own: &HeaderMap) -> HeaderMap {
    let mut headers = common.clone();
    for name in own.keys() {
        headers.remove(name);
    }
    for (name, value) in own {
        headers.append(name, value.clone());
    }
    headers
}

/// Removes the fields that must not be sent to another origin, and returns their names.
fn withhold(headers: &mut HeaderMap) -> Vec<HeaderName> {
    let is_secret = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        // A Referer, for instance, may have a token in its query.
        let is_secret = |value: &HeaderValue| {
            value.is_sensitive() || has_secret(&String::from_utf8_lossy(value.as_bytes()))
        };
        !is_sent_to_other_origins(name.as_str()) || values.any(is_secret)
    };
    let withheld: Vec<_> = headers
        .keys()
        .filter(|name| is_secret(name))
        .cloned()
        .collect();
    for name in &withheld {
        headers.remove(name);
    }
    withheld
}

/// Removes the fields that describe a body which a redirect has dropped.
fn remove_body_fields(headers: &mut HeaderMap) {
    let of_body = |name: &&HeaderName| name.as_str().starts_with("content-");
    let names: Vec<_> = headers.keys().filter(of_body).cloned().collect();
    for name in names {
        headers.remove(name);
    }
    headers.remove(header::EXPECT);
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
