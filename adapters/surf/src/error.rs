//! Conversion of surf's errors, many of which are distinguished only by their text.

use std::io::{self, ErrorKind};

use fetch_driver::{FailureKind, TransportError};

/// Converts an error before the response's head.
pub(crate) fn convert_send_error(
    error: &surf::Error,
    is_https: bool,
    is_reused: bool,
) -> TransportError {
    let text = error.to_string();
    let kind = match error.downcast_ref::<io::Error>() {
        Some(io) => io_failure_kind(io),
        None => text_failure_kind(&text, is_https),
    };
    let kind = match kind {
        // The server closed the reused connection before it sent a response.
        FailureKind::EmptyReply | FailureKind::Io if is_reused => FailureKind::Stale { sent: true },
        kind => kind,
    };
    TransportError::new(kind, text)
}

/// Converts an error of a response's body.
pub(crate) fn convert_body_error(error: io::Error) -> TransportError {
    TransportError::new(io_failure_kind(&error), error)
}

fn io_failure_kind(error: &io::Error) -> FailureKind {
    let text = error.to_string();
    match error.kind() {
        _ if text.contains("lookup address") => FailureKind::Resolve,
        // OpenSSL's text for an alert of the server, such as a missing client certificate. In TLS 1.3 it
        // arrives after the handshake.
        _ if text.contains("SSL alert") => FailureKind::Tls,
        ErrorKind::ConnectionRefused => FailureKind::Connect,
        // async-h1's error for invalid chunks.
        ErrorKind::InvalidData => FailureKind::Protocol,
        _ => FailureKind::Io,
    }
}

fn text_failure_kind(text: &str, is_https: bool) -> FailureKind {
    // Part of the error text of surf's pool if it could not connect.
    let is_connecting = text.contains("creating a new object");
    match text {
        "connection closed" => FailureKind::EmptyReply,
        "empty response" => FailureKind::Io,
        _ if text.contains("Too many open files") => FailureKind::Exhausted,
        _ if is_connecting && is_https && !text.contains("(os error") => FailureKind::Tls,
        _ if is_connecting => FailureKind::Connect,
        _ if text.contains("invalid url scheme") => FailureKind::Unsupported,
        _ => FailureKind::Protocol,
    }
}
