//! Which responses get decoded, with or without any coding compiled in.

use fetch_driver::TransportError;
use http::HeaderValue;
use http::header::HeaderMap;

use crate::body::{ResponseBody, Wire};

/// The `Accept-Encoding` to send, if anything can be decoded.
pub(crate) fn accepted() -> Option<HeaderValue> {
    #[cfg(feature = "decode")]
    return crate::coding::accepted();
    #[cfg(not(feature = "decode"))]
    None
}

/// The body without its codings; `headers` then say nothing of them any more.
pub(crate) fn decode(
    wire: Wire,
    headers: &mut HeaderMap,
    max_body: u64,
) -> Result<ResponseBody, TransportError> {
    #[cfg(feature = "decode")]
    if headers.contains_key(http::header::CONTENT_ENCODING) {
        let codings = crate::coding::codings(headers)?;
        if !codings.is_empty() {
            headers.remove(http::header::CONTENT_ENCODING);
            headers.remove(http::header::CONTENT_LENGTH);
            let decoded = crate::decode::Decoded::new(wire, &codings, max_body);
            return Ok(ResponseBody::decoded(decoded));
        }
    }
    #[cfg(not(feature = "decode"))]
    let _ = (headers, max_body);
    Ok(ResponseBody::plain(wire))
}
