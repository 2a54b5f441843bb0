//! Errors with a description.

use std::error::Error;
use std::{fmt, io};

use fetch_driver::{FailureKind, TransportError};

use crate::origin::OriginRef;

/// A native error with a description of the operation that failed.
#[derive(Debug)]
struct DescribedError {
    source: Box<dyn Error + Send + Sync>,
    text: String,
}

impl fmt::Display for DescribedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for DescribedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// An error of this kind: `text` says what happened, `source` is the native error.
pub(crate) fn describe(
    kind: FailureKind,
    text: impl Into<String>,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> TransportError {
    let (source, text) = (source.into(), text.into());
    TransportError::new(kind, DescribedError { source, text })
}

/// The error of a TLS session that ended with an alert or an invalid record.
pub(crate) fn tls_session_error(error: &io::Error, origin: OriginRef<'_>) -> TransportError {
    let text = format!("{origin} ended the TLS session");
    describe(FailureKind::Tls, text, error.to_string())
}

/// Whether TLS ended with an alert or an invalid record.
#[cfg(feature = "tls")]
pub(crate) fn is_tls_error(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<rustls::Error>())
}

/// Whether TLS ended with an alert or an invalid record.
#[cfg(not(feature = "tls"))]
pub(crate) fn is_tls_error(_: &io::Error) -> bool {
    false
}

/// The first error of this type among the sources of `error`.
#[cfg(feature = "http2")]
pub(crate) fn find_source<'a, E: Error + 'static>(
    error: &'a (dyn Error + 'static),
) -> Option<&'a E> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}
