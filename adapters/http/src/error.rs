//! Errors with a description.

use std::error::Error;
use std::{fmt, io};

use fetch_driver::{FailureKind, FailureReason, TransportError};

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
    describe(FailureKind::Tls, text, native_text(error)).with_reason(FailureReason::TlsSession)
}

/// The text of an error of TLS.
#[cfg(feature = "tls")]
fn native_text(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("alert {}", spaced_words(&format!("{alert:?}")))
        }
        _ => error.to_string(),
    }
}

#[cfg(not(feature = "tls"))]
fn native_text(error: &io::Error) -> String {
    error.to_string()
}

/// The words of a name such as `CaUsedAsEndEntity`, which is how rustls names many errors. Another text
/// is returned unchanged.
#[cfg(feature = "tls")]
pub(crate) fn spaced_words(name: &str) -> String {
    if !name.chars().all(char::is_alphanumeric) {
        return name.to_owned();
    }
    let mut text = String::new();
    let mut chars = name.chars().peekable();
    let mut previous = None;
    while let Some(c) = chars.next() {
        let is_start = c.is_uppercase()
            && previous.is_some_and(|previous: char| {
                !previous.is_uppercase() || chars.peek().is_some_and(|next| next.is_lowercase())
            });
        if is_start {
            text.push(' ');
        }
        // A run of capitals is an abbreviation.
        match c.is_uppercase() && chars.peek().is_some_and(|next| next.is_lowercase()) {
            true => text.extend(c.to_lowercase()),
            false => text.push(c),
        }
        previous = Some(c);
    }
    text
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

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;

    #[test]
    fn names_of_errors_are_written_as_words() {
        for (name, words) in [
            ("CaUsedAsEndEntity", "ca used as end entity"),
            ("UnknownCA", "unknown CA"),
            (
                "NoCertificateRequestSignatureSchemesInCommon",
                "no certificate request signature schemes in common",
            ),
            ("TLSVersion", "TLS version"),
            ("two words", "two words"),
        ] {
            assert_eq!(spaced_words(name), words);
        }
    }
}
