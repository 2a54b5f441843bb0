//! Rules for requests over either protocol.

use bytes::Bytes;
use fetch_driver::{FailureKind, TransportError};
use http::Method;
use http::header::{ACCEPT_ENCODING, HeaderMap, RANGE};

/// The error of a caller's body stream.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// # Errors
///
/// [`FailureKind::Unsupported`] if the method is CONNECT.
pub(crate) fn reject_connect(method: &Method) -> Result<(), TransportError> {
    if method == Method::CONNECT {
        let text = "CONNECT asks for a tunnel, which is not a fetch";
        return Err(TransportError::new(FailureKind::Unsupported, text));
    }
    Ok(())
}

/// Whether to offer content codings: not if the caller has done so, and not for a range, because a
/// part of a coded body cannot be decoded.
pub(crate) fn may_accept_codings(headers: &HeaderMap) -> bool {
    !headers.contains_key(ACCEPT_ENCODING) && !headers.contains_key(RANGE)
}

/// Whether servers expect a body, so that an empty one is announced by `Content-Length: 0`.
pub(crate) fn expects_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Returns the next chunk of a body stream, if the stream keeps to its announced length.
pub(crate) fn check_length(
    left: &mut Option<u64>,
    chunk: Option<Result<Bytes, BoxError>>,
) -> Result<Option<Bytes>, BoxError> {
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
