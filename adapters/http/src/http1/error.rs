//! Failures inside a response body.

use std::io;

use bytes::Bytes;
use fetch_driver::{FailureKind, FailureReason, TransportError};

use super::chunked::ChunkedError;
use crate::error::{describe, is_tls_error, tls_session_error};
use crate::origin::OriginRef;

/// The next chunk of a body. `None` is the end.
pub(super) type NextChunk = Result<Option<Bytes>, TransportError>;

/// The connection ended inside the body, with this read error if there was one.
pub(super) fn body_cut(error: Option<io::Error>, origin: OriginRef<'_>) -> TransportError {
    let text = format!("{origin} closed the connection inside the response body");
    match error {
        None => TransportError::new(FailureKind::Io, text).with_reason(FailureReason::Incomplete),
        Some(error) if is_tls_error(&error) => tls_session_error(&error, origin),
        Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            describe(FailureKind::Io, text, error).with_reason(FailureReason::Incomplete)
        }
        Some(error) => {
            let text = format!("reading the response body from {origin}");
            describe(FailureKind::Io, text, error)
        }
    }
}

/// The framing of a chunked body is invalid.
pub(super) fn invalid_chunk(error: &ChunkedError, origin: OriginRef<'_>) -> TransportError {
    let text = match *error {
        ChunkedError::FLOOD => format!("{origin} sends chunks with hardly any data"),
        _ => format!("{origin} sent an invalid chunk or trailer"),
    };
    describe(FailureKind::Protocol, text, error.0).with_reason(FailureReason::ChunkFraming)
}
