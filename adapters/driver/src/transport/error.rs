//! Errors of a transport.

use std::fmt;
use std::sync::Arc;

use fetch_proto::FailureKind;

use crate::transport::failure_reason::FailureReason;

/// Why an attempt failed: the kind, for the core's decisions, and the native error, for messages.
pub struct TransportError {
    kind: FailureKind,
    reason: Option<FailureReason>,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl TransportError {
    /// An error of this kind, with the native error or a text as its source.
    ///
    /// ```
    /// use fetch_driver::{FailureKind, TransportError};
    ///
    /// let error = TransportError::new(FailureKind::Connect, "connection refused by 127.0.0.1:1");
    /// assert_eq!(error.kind(), FailureKind::Connect);
    /// assert_eq!(error.to_string(), "could not connect: connection refused by 127.0.0.1:1");
    /// ```
    pub fn new(
        kind: FailureKind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            reason: None,
            source: source.into(),
        }
    }

    /// The kind of failure, on which the core's decisions depend.
    ///
    /// ```
    /// # use fetch_driver::{FailureKind, TransportError};
    /// assert_eq!(TransportError::new(FailureKind::Io, "reset").kind(), FailureKind::Io);
    /// ```
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The same error, as another kind of failure.
    ///
    /// ```
    /// # use fetch_driver::{FailureKind, TransportError};
    /// let error = TransportError::new(FailureKind::Io, "reset").with_kind(FailureKind::RequestBody);
    /// assert_eq!(error.kind(), FailureKind::RequestBody);
    /// ```
    #[must_use]
    pub fn with_kind(mut self, kind: FailureKind) -> Self {
        self.kind = kind;
        self
    }

    /// The exact cause of the failure, if the transport knows more than the kind says.
    ///
    /// ```
    /// # use fetch_driver::{FailureKind, FailureReason, TransportError};
    /// let error = TransportError::new(FailureKind::Tls, "it has expired");
    /// let error = error.with_reason(FailureReason::Certificate);
    /// assert_eq!(error.reason(), Some(FailureReason::Certificate));
    /// ```
    #[must_use]
    pub fn reason(&self) -> Option<FailureReason> {
        self.reason
    }

    /// The same error with what exactly failed. Default: nothing more than the kind.
    ///
    /// ```
    /// # use fetch_driver::{FailureKind, FailureReason, TransportError};
    /// let error = TransportError::new(FailureKind::Io, "closed").with_reason(FailureReason::Incomplete);
    /// assert_eq!(error.kind(), FailureKind::Io);
    /// ```
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Option<FailureReason>>) -> Self {
        self.reason = reason.into();
        self
    }

    /// The native error.
    pub(crate) fn into_source(self) -> Arc<dyn std::error::Error + Send + Sync> {
        self.source.into()
    }

    /// The source and its causes, without the kind.
    pub(crate) fn detail(&self) -> String {
        let mut text = self.source.to_string();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            let part = error.to_string();
            if !text.contains(&part) {
                text.push_str(": ");
                text.push_str(&part);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportError")
            .field("kind", &self.kind)
            .field("reason", &self.reason)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail())
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
