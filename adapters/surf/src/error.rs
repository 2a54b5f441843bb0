//! From surf's errors, often mere texts, to what the core decides by.

use std::io::{self, ErrorKind};

use fetch_driver::{Failure, TransportError};

/// What a failure before the response's head means.
pub(crate) fn told(error: &surf::Error, secure: bool, reused: bool) -> TransportError {
    let text = error.to_string();
    let kind = match error.downcast_ref::<io::Error>() {
        Some(io) => of_io(io),
        None => of_text(&text, secure),
    };
    let kind = match kind {
        // Whatever it was, the kept connection did not last until the response.
        Failure::EmptyReply | Failure::Io if reused => Failure::Stale { sent: true },
        kind => kind,
    };
    TransportError::new(kind, text)
}

/// What a failure inside the response's body means.
pub(crate) fn told_of_body(error: io::Error) -> TransportError {
    TransportError::new(of_io(&error), error)
}

fn of_io(error: &io::Error) -> Failure {
    let text = error.to_string();
    match error.kind() {
        _ if text.contains("lookup address") => Failure::Resolve,
        // OpenSSL's word for the server's, as when it wants a certificate: in TLS 1.3 after the handshake.
        _ if text.contains("SSL alert") => Failure::Tls,
        ErrorKind::ConnectionRefused => Failure::Connect,
        // async-h1's word for chunks that make no sense.
        ErrorKind::InvalidData => Failure::Protocol,
        _ => Failure::Io,
    }
}

fn of_text(text: &str, secure: bool) -> Failure {
    // How surf's pool begins when it could not connect.
    let connecting = text.contains("creating a new object");
    match text {
        "connection closed" => Failure::EmptyReply,
        "empty response" => Failure::Io,
        _ if text.contains("Too many open files") => Failure::Exhausted,
        _ if connecting && secure && !text.contains("(os error") => Failure::Tls,
        _ if connecting => Failure::Connect,
        _ if text.contains("invalid url scheme") => Failure::Unsupported,
        _ => Failure::Protocol,
    }
}
