//! Conversion of isahc's and curl's errors.

use std::error::Error as _;
use std::io;

use fetch_driver::{FailureKind, Proxy, TransportError};
use isahc::error::{Error, ErrorKind};

use crate::descriptors;

/// `CURLE_PROXY`, a refusal by a SOCKS proxy. The `curl` crate has no name for it.
const CURLE_PROXY: i64 = 97;
/// `CURLE_TOO_LARGE`, a head over curl's limit. The `curl` crate has no name for it.
const CURLE_TOO_LARGE: i64 = 100;

/// Converts an error.
pub(crate) fn convert(error: &Error) -> TransportError {
    TransportError::new(failure_kind(error), error.clone())
}

/// Converts an error before the response's head. `proxy` is the one that the request used.
pub(crate) fn convert_send_error(error: &Error, proxy: Option<&Proxy>) -> TransportError {
    if descriptors::are_exhausted() && failure_kind(error) == FailureKind::Connect {
        return TransportError::new(FailureKind::Exhausted, descriptors::EXHAUSTED);
    }
    let Some(proxy) = proxy else {
        return convert(error);
    };
    let curl = error.source().and_then(|e| e.downcast_ref::<curl::Error>());
    let is_refusal = curl.is_some_and(|e| i64::from(e.code()) == CURLE_PROXY);
    let kind = match failure_kind(error) {
        _ if is_refusal => FailureKind::Connect,
        kind => kind,
    };
    let reason = curl.map_or_else(|| error.to_string(), ToString::to_string);
    TransportError::new(kind, format!("through the proxy {proxy}: {reason}"))
}

/// Converts an error of a response's body.
pub(crate) fn convert_body_error(error: io::Error) -> TransportError {
    let native = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    match native {
        Some(native) => convert(native),
        None => TransportError::new(FailureKind::Io, error),
    }
}

fn failure_kind(error: &Error) -> FailureKind {
    let curl = error.source().and_then(|e| e.downcast_ref::<curl::Error>());
    let is = |test: fn(&curl::Error) -> bool| curl.is_some_and(test);
    match error.kind() {
        ErrorKind::BadClientCertificate
        | ErrorKind::BadServerCertificate
        | ErrorKind::InvalidTlsConfiguration
        | ErrorKind::TlsEngine => FailureKind::Tls,
        ErrorKind::ClientInitialization => FailureKind::Exhausted,
        ErrorKind::ConnectionFailed if is(curl::Error::is_ssl_connect_error) => FailureKind::Tls,
        ErrorKind::ConnectionFailed => FailureKind::Connect,
        ErrorKind::InvalidContentEncoding => FailureKind::Decode,
        ErrorKind::InvalidRequest => FailureKind::Unsupported,
        ErrorKind::NameResolution => FailureKind::Resolve,
        ErrorKind::ProtocolViolation if is(curl::Error::is_got_nothing) => FailureKind::EmptyReply,
        ErrorKind::ProtocolViolation => FailureKind::Protocol,
        ErrorKind::RequestBodyNotRewindable => FailureKind::RequestBody,
        _ if is(|e| i64::from(e.code()) == CURLE_TOO_LARGE) => FailureKind::Protocol,
        _ => FailureKind::Io,
    }
}
