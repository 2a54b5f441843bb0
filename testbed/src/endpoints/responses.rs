//! Builds responses.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_NONE_MATCH, LOCATION, WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Response, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::body::ResponseBody;
use super::request::{EndpointError, EndpointRequest};

pub(crate) type EndpointResult = Result<Response<ResponseBody>, EndpointError>;

/// Length of each header value of `/head-flood`.
const FLOOD_VALUE_LEN: usize = 8_000;
const MAX_FLOOD: usize = 64 << 20;

/// Headers as a JSON object. Values of the same name are joined by a comma.
struct HeadersAsJson<'a>(&'a HeaderMap);

impl Serialize for HeadersAsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.keys_len()))?;
        for name in self.0.keys() {
            let mut values = self.0.get_all(name).iter();
            let first = values.next().map_or(&[][..], HeaderValue::as_bytes);
            let mut text = String::from_utf8_lossy(first);
            for value in values {
                text.to_mut().push_str(", ");
                text.to_mut()
                    .push_str(&String::from_utf8_lossy(value.as_bytes()));
            }
            map.serialize_entry(name.as_str(), &text)?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct RequestEcho<'a> {
    method: &'a str,
    url: String,
    headers: HeadersAsJson<'a>,
    body: std::borrow::Cow<'a, str>,
}

fn echo_json(request: &EndpointRequest) -> Vec<u8> {
    let target = request
        .head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let connection = &request.connection;
    let authority = connection.authority(&request.head);
    let url = [
        connection.scheme(),
        "://",
        &String::from_utf8_lossy(&authority),
        target,
    ]
    .concat();
    let echo = RequestEcho {
        method: request.head.method.as_str(),
        url,
        headers: HeadersAsJson(&request.head.headers),
        body: String::from_utf8_lossy(&request.body),
    };
    to_json(&echo)
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    serde_json::to_writer(&mut out, value).expect("strings are always JSON");
    out.push(b'\n');
    out
}

/// Returns a text response.
pub(crate) fn text(status: u16, text: impl Into<String>) -> Response<ResponseBody> {
    with_media_type(
        status,
        "text/plain; charset=utf-8",
        text.into().into_bytes(),
    )
}

/// Returns a response with a media type.
pub(crate) fn with_media_type(
    status: u16,
    media_type: &'static str,
    body: Vec<u8>,
) -> Response<ResponseBody> {
    let mut response = without_headers(status, ResponseBody::Whole(body.into()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Returns a response without headers.
pub(crate) fn without_headers(status: u16, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("statuses are checked before");
    response
}

/// Returns 200 with generated content.
pub(crate) fn content(body: impl Into<ResponseBody>) -> Response<ResponseBody> {
    let mut response = without_headers(200, body.into());
    let media_type = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// Returns the request as JSON.
pub(crate) fn echo(request: &EndpointRequest) -> Response<ResponseBody> {
    with_media_type(200, "application/json", echo_json(request))
}

/// Returns the request's headers as JSON.
pub(crate) fn headers(request: &EndpointRequest) -> Response<ResponseBody> {
    with_media_type(
        200,
        "application/json",
        to_json(&HeadersAsJson(&request.head.headers)),
    )
}

/// Returns a response with a status.
pub(crate) fn status(status: u16) -> Response<ResponseBody> {
    match status {
        204 | 205 | 304 => without_headers(status, ResponseBody::empty()),
        _ => text(status, format!("{status}\n")),
    }
}

/// Returns a redirect.
pub(crate) fn redirect(status: u16, target: &str) -> EndpointResult {
    let location = HeaderValue::from_bytes(target.as_bytes()).map_err(|_| {
        EndpointError::BadRequest("`url` has characters that are not allowed in a header".into())
    })?;
    let mut response = without_headers(status, ResponseBody::empty());
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// Returns the request as JSON in a content coding.
pub(crate) fn compressed(
    request: &EndpointRequest,
    coding: &'static str,
) -> Response<ResponseBody> {
    let plain = echo_json(request);
    let mut response = with_media_type(200, "application/json", compress(&plain, coding));
    response
        .headers_mut()
        .insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    response
}

fn compress(plain: &[u8], coding: &str) -> Vec<u8> {
    const INFALLIBLE: &str = "writing to a vector";
    let level = flate2::Compression::default();
    match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(plain).expect(INFALLIBLE);
            encoder.finish().expect(INFALLIBLE)
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(plain).expect(INFALLIBLE);
            encoder.finish().expect(INFALLIBLE)
        }
        "br" => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4_096, 5, 20);
            encoder.write_all(plain).expect(INFALLIBLE);
            encoder.into_inner()
        }
        _ => zstd::encode_all(plain, 3).expect(INFALLIBLE),
    }
}

/// Returns 200 for the right credentials and 401 for others.
pub(crate) fn basic_auth(request: &EndpointRequest) -> EndpointResult {
    let (user, password) = request
        .path_rest()
        .split_once('/')
        .ok_or_else(|| EndpointError::BadRequest("the path must end in USER/PASS".into()))?;
    let pair = format!(
        "{}:{}",
        EndpointRequest::decode_segment(user),
        EndpointRequest::decode_segment(password)
    );
    let wanted = format!("Basic {}", STANDARD.encode(pair));
    Ok(authenticated(request, &wanted, "Basic realm=\"testbed\""))
}

/// Returns 200 for the right bearer token and 401 for others.
pub(crate) fn bearer(request: &EndpointRequest) -> Response<ResponseBody> {
    let wanted = format!("Bearer {}", request.path_rest());
    authenticated(request, &wanted, "Bearer error=\"invalid_token\"")
}

/// Returns 200 to requests with this value of `Authorization`, and the challenge to others.
fn authenticated(
    request: &EndpointRequest,
    wanted: &str,
    challenge: &'static str,
) -> Response<ResponseBody> {
    let given = request.head.headers.get(AUTHORIZATION);
    if given.is_some_and(|given| given == wanted) {
        return echo(request);
    }
    let mut response = status(401);
    let challenge = HeaderValue::from_static(challenge);
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

/// Returns a response with a header section of at least `bytes` bytes.
pub(crate) fn head_flood(bytes: usize) -> EndpointResult {
    if bytes > MAX_FLOOD {
        return Err(EndpointError::BadRequest(format!(
            "`bytes` is at most {MAX_FLOOD}"
        )));
    }
    let mut response = text(200, "a long head\n");
    let line = HeaderValue::from_bytes(&[b'x'; FLOOD_VALUE_LEN]).expect("letters");
    for number in 0..bytes / FLOOD_VALUE_LEN {
        let name = HeaderName::try_from(format!("x-flood-{number}")).expect("letters and digits");
        response.headers_mut().insert(name, line.clone());
    }
    let rest = HeaderValue::from_bytes(&vec![b'x'; bytes % FLOOD_VALUE_LEN]).expect("letters");
    response.headers_mut().insert("x-flood-rest", rest);
    Ok(response)
}

/// The request as JSON, which may be reused for this time, or 304 if the client has it.
pub(crate) fn cacheable(request: &EndpointRequest, seconds: u32) -> Response<ResponseBody> {
    let tag = HeaderValue::from_static("\"1\"");
    let has_it = request.head.headers.get(IF_NONE_MATCH) == Some(&tag);
    let mut response = if has_it { status(304) } else { echo(request) };
    let control = HeaderValue::try_from(format!("max-age={seconds}"));
    response
        .headers_mut()
        .extend(control.map(|control| (CACHE_CONTROL, control)));
    response.headers_mut().insert(ETAG, tag);
    response
}
