//! From native errors to what the core decides by and people understand.

use std::error::Error;
use std::{fmt, io};

use fetch_driver::{Failure, TransportError};

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

/// What it means that TLS ended in anger.
pub(crate) fn inside_tls(error: &io::Error, origin: OriginRef<'_>) -> TransportError {
    let text = format!("{origin} ended the TLS session");
    told(Failure::Tls, text, error.to_string())
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

#[cfg(feature = "http2")]
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
