//! From HTTP/2's errors to what the core decides by.

use std::error::Error;
use std::io;
use std::sync::atomic::Ordering;

use fetch_driver::{Failure, TransportError};
use h2::Reason;

use super::lease::Lease;
use super::link::Ending;
use crate::error::{io_source, told};

const CALM: &str = "asks for fewer requests (ENHANCE_YOUR_CALM)";

/// What it means that the connection was over before the request could be sent.
pub(super) fn unsent(lease: &Lease) -> TransportError {
    ended(lease, None).unwrap_or_else(|| {
        lease.distrust();
        let text = format!(
            "{} had closed the connection",
            lease.link.pulse.origin.key()
        );
        TransportError::new(Failure::Stale { sent: false }, text)
    })
}

/// What a failure before the end of the response's head means.
///
/// `handed_back` says that hyper returned the request, so that none of it was sent.
pub(super) fn before_head(
    error: hyper::Error,
    handed_back: bool,
    reused: bool,
    lease: &Lease,
    max_head: usize,
) -> TransportError {
    let origin = lease.link.pulse.origin.key();
    if let Some(told) = own_fault(lease) {
        return told;
    }
    let native = find::<h2::Error>(&error);
    if let Some(told) = ended(lease, native) {
        return told;
    }
    if handed_back || error.is_user() {
        // A user's error is here one of hyper's own: the connection's end dropped the request.
        lease.distrust();
        // hyper asks for the body once the head may be sent: what waited for its turn until the end is
        // at most half a request, which nobody carries out.
        let sending = lease.sending.as_ref();
        let unbegun = sending.is_some_and(|sending| !sending.begun.load(Ordering::Relaxed));
        let text = format!("{origin} had closed the connection");
        let sent = !handed_back && !unbegun;
        return told(Failure::Stale { sent }, text, error);
    }
    if let Some(native) = native {
        if native.is_go_away() {
            // The task will see it too, but the next try may be sooner.
            lease.retire();
        }
        let (kind, text) = protocol(native, false);
        let text = match native.is_library() && native.is_reset() {
            true => format!("the response's head is broken, or over {max_head} bytes: {text}"),
            false => text,
        };
        return told(kind, format!("{origin} {text}"), error);
    }
    if let Some(tls) = tls_fault(lease) {
        return tls;
    }
    if reused && lease.is_silent() {
        lease.distrust();
        let text = format!("{origin} had closed the idle connection");
        return told(Failure::Stale { sent: true }, text, error);
    }
    match io_source(&error).map(io::Error::kind) {
        Some(io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) | None => {
            let text = format!("{origin} closed the connection before the response");
            told(Failure::EmptyReply, text, error)
        }
        Some(_) => {
            let text = format!("before the response of {origin} began");
            told(Failure::Io, text, error)
        }
    }
}

/// What it means that the connection was ended for a reason, which not every error tells.
fn ended(lease: &Lease, native: Option<&h2::Error>) -> Option<TransportError> {
    let pulse = &lease.link.pulse;
    let origin = pulse.origin.key();
    let own = native.filter(|native| native.is_go_away() && native.is_library());
    let ending = own
        .and_then(reasoned)
        .or_else(|| pulse.ending.get().copied())?;
    let Ending { ours, reason } = ending;
    let settled = pulse.settled.load(Ordering::Acquire);
    match (ours, reason) {
        (true, _) if !settled => {
            let text = format!("{origin} does not speak HTTP/2 ({reason:?})");
            Some(TransportError::new(Failure::Protocol, text))
        }
        (false, Reason::ENHANCE_YOUR_CALM) => {
            let text = format!("{origin} {CALM}");
            Some(TransportError::new(Failure::Io, text))
        }
        _ => None,
    }
}

/// What a connection's last error says of its end.
pub(super) fn ending(error: &hyper::Error) -> Option<Ending> {
    find::<h2::Error>(error).and_then(reasoned)
}

fn reasoned(error: &h2::Error) -> Option<Ending> {
    let reason = error.reason()?;
    let ours = error.is_library();
    Some(Ending { ours, reason })
}

/// Whether this error is that of the whole connection, which is over.
pub(super) fn is_connections_end(error: &hyper::Error) -> bool {
    find::<h2::Error>(error).is_none() && io_source(error).is_some()
}

/// What a failure inside the response's body means.
pub(super) fn inside_body(error: hyper::Error, lease: &Lease) -> TransportError {
    let origin = lease.link.pulse.origin.key();
    if let Some(told) = own_fault(lease) {
        return told;
    }
    if let Some(native) = find::<h2::Error>(&error).filter(|native| !native.is_io()) {
        let (kind, text) = protocol(native, true);
        return told(kind, format!("{origin} {text}, inside the body"), error);
    }
    if let Some(tls) = tls_fault(lease) {
        return tls;
    }
    let text = format!("{origin} closed it inside the response's body");
    told(Failure::Io, text, error)
}

/// What a body means that was ended without an error, but was not complete.
pub(super) fn cut(lease: &Lease) -> TransportError {
    let origin = lease.link.pulse.origin.key();
    let text = format!("{origin} ended it inside the response's body (NO_ERROR)");
    TransportError::new(Failure::Io, text)
}

/// What GOAWAY, RST_STREAM or a broken frame means. A request whose response had `begun` was
/// certainly processed.
fn protocol(error: &h2::Error, begun: bool) -> (Failure, String) {
    let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
    let name = format!("{reason:?}");
    if reason == Reason::ENHANCE_YOUR_CALM {
        return match error.is_library() {
            true => (Failure::Io, "sent too many needless frames".to_owned()),
            false => (Failure::Io, CALM.to_owned()),
        };
    }
    if error.is_library() {
        // That of the whole connection is the fault of one request at most: the others are as good
        // as ever.
        let kind = match error.is_go_away() {
            true => Failure::Io,
            false => Failure::Protocol,
        };
        return (kind, format!("broke the rules of HTTP/2 ({name})"));
    }
    if error.is_go_away() && !begun {
        // hyper ends only those requests so that the server says it did not begin.
        let text = format!("is closing the connection and left the request aside ({name})");
        return (Failure::Stale { sent: false }, text);
    }
    match reason {
        Reason::REFUSED_STREAM if !begun => {
            let text = format!("left the request aside ({name})");
            (Failure::Stale { sent: false }, text)
        }
        Reason::HTTP_1_1_REQUIRED => {
            let text = format!("wants HTTP/1.1 for this: switch HTTP/2 off ({name})");
            (Failure::Protocol, text)
        }
        Reason::PROTOCOL_ERROR | Reason::COMPRESSION_ERROR | Reason::FRAME_SIZE_ERROR => {
            let text = format!("found fault with the request ({name})");
            (Failure::Protocol, text)
        }
        _ => (Failure::Io, format!("reset the request ({name})")),
    }
}

fn own_fault(lease: &Lease) -> Option<TransportError> {
    let why = lease.sending.as_ref()?.fault.get()?;
    let text = format!("sending the body to {}", lease.link.pulse.origin.key());
    Some(told(Failure::RequestBody, text, why.as_str()))
}

fn tls_fault(lease: &Lease) -> Option<TransportError> {
    let why = lease.link.pulse.tls.get()?;
    let text = format!("{} ended the TLS session", lease.link.pulse.origin.key());
    Some(told(Failure::Tls, text, why.as_str()))
}

fn find<E: Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}
