//! What every such adapter does to a request and to the settings before its client sees them.

use std::sync::Arc;

use fetch_driver::{BuildError, FailureKind, Http2Mode, OutgoingRequest, Settings, TransportError};
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, RANGE, TRANSFER_ENCODING};
use http::{Method, StatusCode};
use url::{Position, Url};

/// Removes the header fields that are the client's own business, and asks for the codings that can
/// be decoded if `decode`.
///
/// # Errors
///
/// If the method is `CONNECT`, which is no fetch.
///
/// ```
/// # let url = std::sync::Arc::new("http://a.test/".parse()?);
/// use fetch_driver::OutgoingRequest;
/// let mut outgoing = OutgoingRequest::new(http::Method::GET, url);
/// fetch_client::prepare(&mut outgoing, true)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn prepare(outgoing: &mut OutgoingRequest, decode: bool) -> Result<(), TransportError> {
    if outgoing.method == Method::CONNECT {
        let text = "CONNECT asks for a tunnel, which is not a fetch";
        return Err(TransportError::new(FailureKind::Unsupported, text));
    }
    let headers = Arc::make_mut(&mut outgoing.headers);
    for clients in [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING] {
        headers.remove(clients);
    }
    // A part of a coded body could not be decoded.
    let settled = headers.contains_key(ACCEPT_ENCODING) || headers.contains_key(RANGE);
    if decode
        && !settled
        && let Some(codings) = fetch_coding::accepted()
    {
        headers.insert(ACCEPT_ENCODING, codings);
    }
    Ok(())
}

/// The URL as it is requested, without its fragment, and its origin.
///
/// ```
/// let url = "http://a.test:81/b?c#d".parse()?;
/// assert_eq!(fetch_client::target(&url), ("http://a.test:81/b?c", "http://a.test:81"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn target(url: &Url) -> (&str, &str) {
    (&url[..Position::AfterQuery], &url[..Position::BeforePath])
}

/// Whether a response to `method` with `status` has a body at all, whatever its header says.
///
/// ```
/// use http::{Method, StatusCode};
/// assert!(fetch_client::has_body(&Method::GET, StatusCode::OK));
/// assert!(!fetch_client::has_body(&Method::GET, StatusCode::NOT_MODIFIED));
/// ```
#[must_use]
pub fn has_body(method: &Method, status: StatusCode) -> bool {
    let never = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    method != Method::HEAD && !status.is_informational() && !never.contains(&status)
}

/// Rejects what no such client can do: prior knowledge of HTTP/2, and a limit that runs from a moment
/// that it does not tell.
///
/// # Errors
///
/// Says which setting it is.
///
/// ```
/// let mut settings = fetch_driver::Settings::default();
/// assert!(fetch_client::refuse(&settings).is_ok());
/// settings.http2 = fetch_driver::Http2Mode::PriorKnowledge;
/// assert!(fetch_client::refuse(&settings).is_err());
/// ```
pub fn refuse(settings: &Settings) -> Result<(), BuildError> {
    if settings.http2 == Http2Mode::PriorKnowledge {
        let why = "this adapter's client speaks HTTP/1.1 only: take the adapter for smol or tokio";
        return Err(BuildError::new("http2", why));
    }
    if settings.has_first_byte_timeout() {
        let why = "this client does not tell when it is connected, from where `first_byte` runs: \
                   limit the `attempt` instead";
        return Err(BuildError::new("timeouts", why));
    }
    Ok(())
}
