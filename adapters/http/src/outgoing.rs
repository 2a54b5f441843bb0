//! What holds for requests over either protocol.

use bytes::Bytes;
use fetch_driver::{Failure, TransportError};
use http::Method;
use http::header::{ACCEPT_ENCODING, HeaderMap, RANGE};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// # Errors
///
/// If a tunnel is asked for: [`Failure::Unsupported`].
pub(crate) fn refuse_connect(method: &Method) -> Result<(), TransportError> {
    if method == Method::CONNECT {
        let text = "CONNECT asks for a tunnel, which is not a fetch";
        return Err(TransportError::new(Failure::Unsupported, text));
    }
    Ok(())
}

/// Whether codings may be offered: not if the caller has done so, and not for a part of a body, which
/// could not be decoded.
pub(crate) fn may_accept(headers: &HeaderMap) -> bool {
    !headers.contains_key(ACCEPT_ENCODING) && !headers.contains_key(RANGE)
}

/// Whether a length of 0 is told, since a body is to be expected.
pub(crate) fn expects_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Passes a stream's chunk on unless it breaks the announced length.
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
                    .ok_or("the body stream is longer than the length it was announced with")?;
            }
            None if *left > 0 => {
                return Err(format!("the body stream ended {left} bytes too early").into());
            }
            None => {}
        }
    }
    Ok(chunk)
}
