//! Conversion of HTTP/2 errors to the failure kinds of the core.

use std::io;
use std::sync::atomic::Ordering;

use fetch_driver::{FailureKind, FailureReason, TransportError};
use h2::Reason;

use super::handle::CloseReason;
use super::lease::StreamLease;
use crate::error::{describe, find_source};

/// The largest request head, in bytes, that every server accepts.
const COMMON_HEAD: usize = 4096;

/// ENHANCE_YOUR_CALM: of a large request head, some servers complain in this way.
fn calm_text(lease: &StreamLease) -> String {
    match lease.head_size {
        0..=COMMON_HEAD => "asks for fewer requests (ENHANCE_YOUR_CALM)".to_owned(),
        size => format!(
            "did not accept the request: its head of {size} bytes is probably too large \
             (ENHANCE_YOUR_CALM)"
        ),
    }
}

/// This side's limits on small DATA, CONTINUATION and RST_STREAM frames, or on a head, were reached.
const LOCAL_CALM: &str =
    "sends too many HTTP/2 frames without data, or too large a head (ENHANCE_YOUR_CALM)";

/// The connection was closed before the request could be sent.
pub(super) fn unsent_error(lease: &StreamLease) -> TransportError {
    closed_error(lease, None).unwrap_or_else(|| {
        lease.retire_with_older();
        let origin = lease.handle.shared.origin.key();
        let text = format!("{origin} had closed the connection");
        TransportError::new(lease.unprocessed(false), text)
    })
}

/// A failure before the response head was complete.
///
/// `is_unsent` is true if hyper returned the request: then no part of it was sent.
pub(super) fn head_error(
    error: hyper::Error,
    is_unsent: bool,
    reused: bool,
    lease: &StreamLease,
    max_head: usize,
) -> TransportError {
    let origin = lease.handle.shared.origin.key();
    if let Some(error) = request_body_error(lease) {
        return error;
    }
    let native = find_source::<h2::Error>(&error);
    if let Some(error) = closed_error(lease, native) {
        return error;
    }
    if is_unsent || error.is_user() {
        // hyper reports a user error if the connection ended and dropped the request.
        lease.retire_with_older();
        // hyper polls the body once the head may be sent. A request still queued at the end was sent
        // in part at most, and no server executes a part.
        let upload = lease.upload.as_ref();
        let is_queued = upload.is_some_and(|upload| !upload.started.load(Ordering::Relaxed));
        let text = format!("{origin} had closed the connection");
        let kind = match is_unsent || is_queued {
            true => lease.unprocessed(false),
            false => FailureKind::Stale { sent: true },
        };
        return describe(kind, text, error);
    }
    if let Some(native) = native {
        if native.is_go_away() {
            // The task sees it too, but perhaps after the next attempt.
            lease.retire();
        }
        let (kind, text) = protocol_error(native, false, lease);
        let text = match native.is_library() && native.is_reset() {
            true => format!("sent an invalid head, or one over {max_head} bytes: it {text}"),
            false => text,
        };
        let reason = native_reason(native);
        return describe(kind, format!("{origin} {text}"), error).with_reason(reason);
    }
    if let Some(error) = tls_error(lease) {
        return error;
    }
    if reused && lease.is_silent() {
        lease.retire_with_older();
        let text = format!("{origin} had closed the idle connection");
        return describe(FailureKind::Stale { sent: true }, text, error);
    }
    match find_source::<io::Error>(&error).map(io::Error::kind) {
        Some(io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) | None => {
            let text = format!("{origin} closed the connection before the response");
            describe(FailureKind::EmptyReply, text, error).with_reason(FailureReason::Incomplete)
        }
        Some(_) => {
            let text = format!("waiting for the response of {origin}");
            describe(FailureKind::Io, text, error)
        }
    }
}

/// The error of a connection that was closed for a reason which the request's own error may lack.
fn closed_error(lease: &StreamLease, native: Option<&h2::Error>) -> Option<TransportError> {
    if let Some(error) = flood_error(lease) {
        return Some(error);
    }
    let shared = &lease.handle.shared;
    let origin = shared.origin.key();
    let local = native.filter(|native| native.is_go_away() && native.is_library());
    let reason = local
        .and_then(reason_of)
        .or_else(|| shared.close_reason.get().copied())?;
    let settled = shared.settled.load(Ordering::Acquire);
    match (reason.is_local, reason.reason) {
        (true, Reason::ENHANCE_YOUR_CALM) => {
            let error =
                TransportError::new(FailureKind::Protocol, format!("{origin} {LOCAL_CALM}"));
            Some(error.with_reason(FailureReason::Http2Violation))
        }
        (true, reason) if !settled => {
            let text = format!("{origin} does not speak HTTP/2 ({})", error_name(reason));
            let error = TransportError::new(FailureKind::Protocol, text);
            Some(error.with_reason(FailureReason::Http2Violation))
        }
        (false, Reason::ENHANCE_YOUR_CALM) => {
            let text = format!("{origin} {}", calm_text(lease));
            let error = TransportError::new(FailureKind::Io, text);
            Some(error.with_reason(FailureReason::Http2GoAway))
        }
        _ => None,
    }
}

/// The reason in the last error of a connection.
pub(super) fn close_reason(error: &hyper::Error) -> Option<CloseReason> {
    find_source::<h2::Error>(error).and_then(reason_of)
}

fn reason_of(error: &h2::Error) -> Option<CloseReason> {
    Some(CloseReason {
        is_local: error.is_library(),
        reason: error.reason()?,
    })
}

/// Whether this is an error of the whole connection, which is then closed.
pub(super) fn is_connection_end(error: &hyper::Error) -> bool {
    find_source::<h2::Error>(error).is_none() && find_source::<io::Error>(error).is_some()
}

/// A failure inside the response body.
pub(super) fn body_error(error: hyper::Error, lease: &StreamLease) -> TransportError {
    let origin = lease.handle.shared.origin.key();
    if let Some(error) = request_body_error(lease) {
        return error;
    }
    if let Some(error) = flood_error(lease) {
        return error;
    }
    if let Some(native) = find_source::<h2::Error>(&error).filter(|native| !native.is_io()) {
        let (kind, text) = protocol_error(native, true, lease);
        let reason = native_reason(native);
        let text = format!("{origin} {text}, inside the response body");
        return describe(kind, text, error).with_reason(reason);
    }
    if let Some(error) = tls_error(lease) {
        return error;
    }
    let text = format!("{origin} closed the connection inside the response body");
    let is_reset = find_source::<io::Error>(&error)
        .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionReset);
    let reason = (!is_reset).then_some(FailureReason::Incomplete);
    describe(FailureKind::Io, text, error).with_reason(reason)
}

/// The response body ended without an error, but incomplete.
pub(super) fn truncated_body(lease: &StreamLease) -> TransportError {
    let origin = lease.handle.shared.origin.key();
    let text = format!("{origin} ended the stream inside the response body (NO_ERROR)");
    TransportError::new(FailureKind::Io, text).with_reason(FailureReason::Incomplete)
}

/// The part of HTTP/2 that an error of the library concerns.
fn native_reason(error: &h2::Error) -> FailureReason {
    match (error.is_go_away(), error.is_library()) {
        (true, true) => FailureReason::Http2Violation,
        (true, false) => FailureReason::Http2GoAway,
        (false, _) => FailureReason::Http2Stream,
    }
}

/// The name of an error code (RFC 9113, section 7), or its number.
fn error_name(reason: Reason) -> String {
    match u32::from(reason) {
        0..=13 => format!("{reason:?}"),
        code => format!("error code {code:#x}"),
    }
}

/// The failure kind and text for GOAWAY, RST_STREAM or an invalid frame. A request whose response
/// had `started` was certainly processed.
fn protocol_error(error: &h2::Error, started: bool, lease: &StreamLease) -> (FailureKind, String) {
    let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
    let name = error_name(reason);
    if reason == Reason::ENHANCE_YOUR_CALM {
        return match error.is_library() {
            true => (FailureKind::Protocol, LOCAL_CALM.to_owned()),
            false => (FailureKind::Io, calm_text(lease)),
        };
    }
    if error.is_library() {
        // At most one request caused the end of the whole connection: the others may be retried.
        let kind = match error.is_go_away() {
            true => FailureKind::Io,
            false => FailureKind::Protocol,
        };
        return (kind, format!("violated the HTTP/2 protocol ({name})"));
    }
    if reason == Reason::HTTP_1_1_REQUIRED && !started {
        lease.require_http1();
        let text = format!("requires HTTP/1.1 for this request ({name})");
        return (lease.unprocessed(false), text);
    }
    if error.is_go_away() && !started {
        // hyper only ends the requests that the server did not process.
        let text = format!("is closing the connection and did not process the request ({name})");
        return (lease.unprocessed(true), text);
    }
    match reason {
        Reason::REFUSED_STREAM if !started => {
            let text = format!("did not process the request ({name})");
            (lease.unprocessed(false), text)
        }
        Reason::PROTOCOL_ERROR | Reason::COMPRESSION_ERROR | Reason::FRAME_SIZE_ERROR => {
            let text = format!("rejected the request as invalid HTTP/2 ({name})");
            (FailureKind::Protocol, text)
        }
        _ => (FailureKind::Io, format!("reset the request ({name})")),
    }
}

fn request_body_error(lease: &StreamLease) -> Option<TransportError> {
    let error = lease.upload.as_ref()?.error.get()?;
    let origin = lease.handle.shared.origin.key();
    let text = format!("sending the request body to {origin}");
    Some(describe(FailureKind::RequestBody, text, error.as_str()))
}

/// The error of a connection on which the server sent too many frames without data.
fn flood_error(lease: &StreamLease) -> Option<TransportError> {
    let shared = &lease.handle.shared;
    let flood = *shared.flood.get()?;
    let origin = shared.origin.key();
    let text = match flood.is_unknown() && !shared.settled.load(Ordering::Acquire) {
        true => format!("{origin} does not speak HTTP/2"),
        false => format!("{origin} sends HTTP/2 frames without data ({})", flood.0),
    };
    let error = TransportError::new(FailureKind::Protocol, text);
    Some(error.with_reason(FailureReason::Http2Violation))
}

fn tls_error(lease: &StreamLease) -> Option<TransportError> {
    let shared = &lease.handle.shared;
    let error = shared.tls_error.get()?;
    let text = format!("{} ended the TLS session", shared.origin.key());
    let error = describe(FailureKind::Tls, text, error.as_str());
    Some(error.with_reason(FailureReason::TlsSession))
}
