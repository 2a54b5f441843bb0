//! Why a form cannot be sent.

use std::fmt;
use std::io;
use std::sync::Arc;

/// Why a [`Form`](crate::Form) cannot be sent: a file that cannot be read, or a media type or a header field that is not
/// valid.
#[derive(Clone, Debug)]
pub struct FormError {
    source: Option<Arc<io::Error>>,
    text: String,
}

impl FormError {
    pub(super) fn new(text: String) -> Self {
        Self { source: None, text }
    }

    pub(super) fn of_file(error: io::Error) -> Self {
        Self {
            text: error.to_string(),
            source: Some(Arc::new(error)),
        }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for FormError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}
