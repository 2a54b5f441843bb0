//! From surf's errors, often mere texts, to what the core decides by.

use std::io::{self, ErrorKind};

use fetch_driver::{FailureKind, TransportError};

/// What a failure before the response's head means.
pub(crate) fn told(error: &surf::Error, secure: bool, reused: bool) -> TransportError {
    let text = error.to_string();
    let kind = match error.downcast_ref::<io::Error>() {
        Some(io) => of_io(io),
        None => of_text(&text, secure),
    };
    let kind = match kind {
        // Whatever it was, the kept connection did not last until the response.
        FailureKind::EmptyReply | FailureKind::Io if reused => FailureKind::Stale { sent: true },
        kind => kind,
    };
    TransportError::new(kind, text)
}

/// What a failure inside the response's body means.
pub(crate) fn told_of_body(error: io::Error) -> TransportError {
    TransportError::new(of_io(&error), error)
}

fn of_io(error: &io::Error) -> FailureKind {
    let text = error.to_string();
    match error.kind() {
        _ if text.contains("lookup address") => FailureKind::Resolve,
        // OpenSSL's word for the server's, as when it wants a certificate: in TLS 1.3 after the handshake.
        _ if text.contains("SSL alert") => FailureKind::Tls,
        ErrorKind::ConnectionRefused => FailureKind::Connect,
        // async-h1's word for chunks that make no sense.
        ErrorKind::InvalidData => FailureKind::Protocol,
        _ => FailureKind::Io,
    }
}

fn of_text(text: &str, secure: bool) -> FailureKind {
    // How surf's pool begins when it could not connect.
    let connecting = text.contains("creating a new object");
    match text {
        "connection closed" => FailureKind::EmptyReply,
        "empty response" => FailureKind::Io,
        _ if text.contains("Too many open files") => FailureKind::Exhausted,
        _ if connecting && secure && !text.contains("(os error") => FailureKind::Tls,
        _ if connecting => FailureKind::Connect,
        _ if text.contains("invalid url scheme") => FailureKind::Unsupported,
        _ => FailureKind::Protocol,
    }
}
