//! From native errors to what the core decides by and people understand.

use std::error::Error;
use std::{fmt, io};

use fetch_driver::{Failure, TransportError};

use crate::conn::Conn;
use crate::origin::OriginRef;

/// A plain sentence over the native error that caused it.
#[derive(Debug)]
struct Told {
    cause: Option<Box<dyn Error + Send + Sync>>,
    text: String,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Told {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// An error of this kind: `text` says what happened, `cause` is the native error.
pub(crate) fn told(
    kind: Failure,
    text: impl Into<String>,
    cause: impl Into<Box<dyn Error + Send + Sync>>,
) -> TransportError {
    TransportError::new(
        kind,
        Told {
            cause: Some(cause.into()),
            text: text.into(),
        },
    )
}

/// What it means that the connection was over before the request could be sent.
pub(crate) fn unsent(conn: &Conn) -> TransportError {
    let origin = conn.origin.key();
    if let Some(why) = conn.shared.tls_error() {
        let text = format!("{origin} ended the TLS session: {why}");
        return TransportError::new(Failure::Tls, text);
    }
    let text = format!("{origin} had closed the connection");
    TransportError::new(Failure::Stale { sent: false }, text)
}

/// What a failure before the end of the response's head means.
///
/// `handed_back` says that hyper returned the request, so that none of it was sent.
pub(crate) fn before_head(
    error: hyper::Error,
    handed_back: bool,
    reused: bool,
    conn: &Conn,
    max_head: usize,
) -> TransportError {
    let origin = conn.origin.key();
    let sent = !handed_back && conn.shared.sent_any();
    let broken = is_io(&error) || is_cut(&error) || error.is_canceled() || error.is_closed();
    if error.is_user() {
        told(
            Failure::RequestBody,
            format!("sending the body to {origin}"),
            error,
        )
    } else if is_tls(&error) {
        told(
            Failure::Tls,
            format!("{origin} ended the TLS session"),
            error,
        )
    } else if let Some(why) = conn.shared.tls_error() {
        told(
            Failure::Tls,
            format!("{origin} ended the TLS session: {why}"),
            error,
        )
    } else if reused && (handed_back || (broken && !conn.shared.got_any())) {
        let text = format!("{origin} had closed the idle connection");
        told(Failure::Stale { sent }, text, error)
    } else if error.is_parse() {
        told(Failure::Protocol, bad_head(&error, origin, max_head), error)
    } else if is_io(&error) {
        told(
            Failure::Io,
            format!("before the head of the response of {origin} was complete"),
            error,
        )
    } else if broken && conn.shared.got_any() {
        told(
            Failure::Io,
            format!("{origin} closed it inside the response's head"),
            error,
        )
    } else if broken {
        told(
            Failure::EmptyReply,
            format!("{origin} closed it before the first byte"),
            error,
        )
    } else {
        told(
            Failure::Protocol,
            format!("{origin} sent what was not asked for"),
            error,
        )
    }
}

/// What a failure inside the response's body means.
pub(crate) fn inside_body(error: hyper::Error, origin: OriginRef<'_>) -> TransportError {
    let native = io_source(&error).map(io::Error::kind);
    if error.is_user() {
        told(
            Failure::RequestBody,
            format!("sending the body to {origin}"),
            error,
        )
    } else if is_tls(&error) {
        told(
            Failure::Tls,
            format!("{origin} ended the TLS session"),
            error,
        )
    } else if error.is_parse() || matches!(native, Some(Bad::InvalidData | Bad::InvalidInput)) {
        told(
            Failure::Protocol,
            format!("{origin} sent a broken chunk or trailer"),
            error,
        )
    } else if is_cut(&error) || native == Some(Bad::UnexpectedEof) {
        told(
            Failure::Io,
            format!("{origin} closed it inside the response's body"),
            error,
        )
    } else {
        told(
            Failure::Io,
            format!("inside the response's body from {origin}"),
            error,
        )
    }
}

use io::ErrorKind as Bad;

fn bad_head(error: &hyper::Error, origin: OriginRef<'_>, max_head: usize) -> String {
    // hyper tells this one apart for servers only; the kind of failure does not hang on it.
    if error.to_string().contains("too large") {
        format!("the response's head from {origin} is over {max_head} bytes or 100 fields")
    } else {
        format!("the response's head from {origin} cannot be read")
    }
}

fn is_cut(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_body_write_aborted()
}

fn is_io(error: &hyper::Error) -> bool {
    io_source(error).is_some()
}

fn is_tls(error: &hyper::Error) -> bool {
    io_source(error).is_some_and(is_tls_io)
}

/// Whether TLS ended with an alert or a broken record.
#[cfg(feature = "tls")]
pub(crate) fn is_tls_io(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<rustls::Error>())
}

/// Whether TLS ended with an alert or a broken record.
#[cfg(not(feature = "tls"))]
pub(crate) fn is_tls_io(_: &io::Error) -> bool {
    false
}

pub(crate) fn io_source<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}
