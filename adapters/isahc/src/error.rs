//! From isahc's and curl's errors to what the core decides by.

use std::error::Error as _;
use std::io;

use fetch_driver::{FailureKind, Proxy, TransportError};
use isahc::error::{Error, ErrorKind};

use crate::descriptors;

/// curl's code for a SOCKS proxy that refuses, which the `curl` crate has no name for.
const PROXY: i64 = 97;
/// curl's code for a head over its limit, which the `curl` crate has no name for.
const TOO_LARGE: i64 = 100;

/// What a failure before the response's head means.
pub(crate) fn told(error: &Error) -> TransportError {
    TransportError::new(failure(error), error.clone())
}

/// What a failure before the response's head means on the way that the request took.
pub(crate) fn told_on_the_way(error: &Error, proxy: Option<&Proxy>) -> TransportError {
    if descriptors::are_out_of_reach() && failure(error) == FailureKind::Connect {
        return TransportError::new(FailureKind::Exhausted, descriptors::OUT_OF_REACH);
    }
    let Some(proxy) = proxy else {
        return told(error);
    };
    let curl = error.source().and_then(|e| e.downcast_ref::<curl::Error>());
    let refused = curl.is_some_and(|e| i64::from(e.code()) == PROXY);
    let kind = match failure(error) {
        _ if refused => FailureKind::Connect,
        kind => kind,
    };
    let why = curl.map_or_else(|| error.to_string(), ToString::to_string);
    TransportError::new(kind, format!("through the proxy {proxy}: {why}"))
}

/// What a failure inside the response's body means.
pub(crate) fn told_of_body(error: io::Error) -> TransportError {
    let native = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    match native {
        Some(native) => told(native),
        None => TransportError::new(FailureKind::Io, error),
    }
}

fn failure(error: &Error) -> FailureKind {
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
        _ if is(|e| i64::from(e.code()) == TOO_LARGE) => FailureKind::Protocol,
        _ => FailureKind::Io,
    }
}
