//! Rules for requests and responses that hold over every transport.

use bytes::Bytes;
use fetch_driver::{FailureKind, TransportError};
use http::header::{ACCEPT_ENCODING, HeaderMap, RANGE};
use http::{Method, StatusCode};

/// The error of a caller's body stream.
pub type BodyStreamError = Box<dyn std::error::Error + Send + Sync>;

/// Rejects a request for a tunnel.
///
/// # Errors
///
/// [`FailureKind::Unsupported`] if the method is CONNECT.
///
/// ```
/// assert!(fetch_transport_util::reject_connect(&http::Method::CONNECT).is_err());
/// ```
pub fn reject_connect(method: &Method) -> Result<(), TransportError> {
    if method == Method::CONNECT {
        let text = "CONNECT asks for a tunnel, which is not a fetch";
        return Err(TransportError::new(FailureKind::Unsupported, text));
    }
    Ok(())
}

/// Whether to offer content codings: not if the caller sets `Accept-Encoding`, and not for a range,
/// because a part of a coded body cannot be decoded.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// assert!(fetch_transport_util::may_accept_codings(&headers));
/// headers.insert("range", http::HeaderValue::from_static("bytes=0-9"));
/// assert!(!fetch_transport_util::may_accept_codings(&headers));
/// ```
#[must_use]
pub fn may_accept_codings(headers: &HeaderMap) -> bool {
    !headers.contains_key(ACCEPT_ENCODING) && !headers.contains_key(RANGE)
}

/// Whether servers expect a body, so that an empty one is announced by `Content-Length: 0`.
///
/// ```
/// use http::Method;
/// assert!(fetch_transport_util::expects_body(&Method::POST));
/// assert!(!fetch_transport_util::expects_body(&Method::GET));
/// ```
#[must_use]
pub fn expects_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Whether a response has a body, whatever its header fields say.
///
/// ```
/// use http::StatusCode;
/// let is_head = false;
/// assert!(fetch_transport_util::has_body(is_head, StatusCode::OK));
/// assert!(!fetch_transport_util::has_body(is_head, StatusCode::NOT_MODIFIED));
/// ```
#[must_use]
pub fn has_body(is_head_request: bool, status: StatusCode) -> bool {
    !is_head_request
        && !status.is_informational()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Checks the next chunk of a request's body stream against the announced length, and returns it.
/// `left` is how many bytes are still to come; `None` if no length was announced.
///
/// # Errors
///
/// The stream's error, or one that says that the stream is shorter or longer than announced.
///
/// ```
/// let mut left = Some(3);
/// let chunk = Some(Ok("ab".into()));
/// assert!(fetch_transport_util::check_body_length(&mut left, chunk).is_ok());
/// assert!(fetch_transport_util::check_body_length(&mut left, None).is_err());
/// ```
pub fn check_body_length(
    left: &mut Option<u64>,
    chunk: Option<Result<Bytes, BodyStreamError>>,
) -> Result<Option<Bytes>, BodyStreamError> {
    let chunk = chunk.transpose()?;
    if let Some(left) = left {
        match &chunk {
            Some(bytes) => {
                *left = left
                    .checked_sub(bytes.len() as u64)
                    .ok_or("the body stream is longer than its announced length")?;
            }
            None if *left > 0 => {
                return Err(format!("the body stream ended {left} bytes too early").into());
            }
            None => {}
        }
    }
    Ok(chunk)
}
