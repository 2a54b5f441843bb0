//! Responses that behave.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Response, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::body::Body;
use crate::call::{Call, Stop};

pub(crate) type Reply = Result<Response<Body>, Stop>;

/// The header value that one line of `/head-flood` carries.
const FLOOD_LINE: usize = 8_000;
const MAX_FLOOD: usize = 64 << 20;

/// Headers as a JSON object; values of the same name are joined by a comma.
struct Headers<'a>(&'a HeaderMap);

impl Serialize for Headers<'_> {
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
struct Echo<'a> {
    method: &'a str,
    url: String,
    headers: Headers<'a>,
    body: std::borrow::Cow<'a, str>,
}

fn echoed(call: &Call) -> Vec<u8> {
    let target = call
        .head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let connection = &call.connection;
    let authority = connection.authority(&call.head);
    let url = [
        connection.scheme(),
        "://",
        &String::from_utf8_lossy(&authority),
        target,
    ]
    .concat();
    let echo = Echo {
        method: call.head.method.as_str(),
        url,
        headers: Headers(&call.head.headers),
        body: String::from_utf8_lossy(&call.body),
    };
    json(&echo)
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    serde_json::to_writer(&mut out, value).expect("strings are always JSON");
    out.push(b'\n');
    out
}

/// Answers with a text.
pub(crate) fn text(status: u16, text: impl Into<String>) -> Response<Body> {
    typed(
        status,
        "text/plain; charset=utf-8",
        text.into().into_bytes(),
    )
}

/// Answers with a body of a media type.
pub(crate) fn typed(status: u16, media_type: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut response = plain(status, Body::Whole(body.into()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Answers with a body and no header of its own.
pub(crate) fn plain(status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("statuses are checked before");
    response
}

/// Answers with generated content.
pub(crate) fn content(body: impl Into<Body>) -> Response<Body> {
    let mut response = plain(200, body.into());
    let media_type = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// Answers with what was asked.
pub(crate) fn echo(call: &Call) -> Response<Body> {
    typed(200, "application/json", echoed(call))
}

/// Answers with the headers alone.
pub(crate) fn headers(call: &Call) -> Response<Body> {
    typed(200, "application/json", json(&Headers(&call.head.headers)))
}

/// Answers with a status.
pub(crate) fn status(status: u16) -> Response<Body> {
    match status {
        204 | 205 | 304 => plain(status, Body::empty()),
        _ => text(status, format!("{status}\n")),
    }
}

/// Sends the caller elsewhere.
pub(crate) fn redirect(status: u16, target: &str) -> Reply {
    let location = HeaderValue::from_bytes(target.as_bytes())
        .map_err(|_| Stop::Bad("`url` has characters that no header may hold".into()))?;
    let mut response = plain(status, Body::empty());
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// Answers with the echo in a content coding.
pub(crate) fn compressed(call: &Call, coding: &'static str) -> Response<Body> {
    let plain = echoed(call);
    let mut response = typed(200, "application/json", compress(&plain, coding));
    response
        .headers_mut()
        .insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    response
}

fn compress(plain: &[u8], coding: &str) -> Vec<u8> {
    const WHY: &str = "writing to a vector";
    let level = flate2::Compression::default();
    match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(plain).expect(WHY);
            encoder.finish().expect(WHY)
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(plain).expect(WHY);
            encoder.finish().expect(WHY)
        }
        "br" => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4_096, 5, 20);
            encoder.write_all(plain).expect(WHY);
            encoder.into_inner()
        }
        _ => zstd::encode_all(plain, 3).expect(WHY),
    }
}

/// Answers 200 to the right credentials and 401 to others.
pub(crate) fn basic_auth(call: &Call) -> Reply {
    let (user, password) = call
        .rest()
        .split_once('/')
        .ok_or_else(|| Stop::Bad("the path must end in USER/PASS".into()))?;
    let pair = format!("{}:{}", Call::decoded(user), Call::decoded(password));
    let wanted = format!("Basic {}", STANDARD.encode(pair));
    if call
        .head
        .headers
        .get(AUTHORIZATION)
        .is_some_and(|given| given == wanted.as_str())
    {
        return Ok(echo(call));
    }
    let mut response = status(401);
    let challenge = HeaderValue::from_static("Basic realm=\"testbed\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    Ok(response)
}

/// Answers with a header section of at least `bytes` bytes.
pub(crate) fn head_flood(bytes: usize) -> Reply {
    if bytes > MAX_FLOOD {
        return Err(Stop::Bad(format!("`bytes` is at most {MAX_FLOOD}")));
    }
    let mut response = text(200, "a long head\n");
    let line = HeaderValue::from_bytes(&[b'x'; FLOOD_LINE]).expect("letters");
    for number in 0..bytes / FLOOD_LINE {
        let name = HeaderName::try_from(format!("x-flood-{number}")).expect("letters and digits");
        response.headers_mut().insert(name, line.clone());
    }
    let rest = HeaderValue::from_bytes(&vec![b'x'; bytes % FLOOD_LINE]).expect("letters");
    response.headers_mut().insert("x-flood-rest", rest);
    Ok(response)
}
