//! Errors of hooks that prepare attempts.

use std::fmt;

use fetch_proto::FailureKind;

/// Why a hook sends no request: see [`Builder::before_attempt`](crate::Builder::before_attempt).
///
/// ```
/// use fetch_driver::HookError;
/// let error = HookError::refused("it is night");
/// assert_eq!(error.to_string(), "it is night");
/// ```
#[derive(Debug)]
pub struct HookError {
    kind: FailureKind,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl HookError {
    /// The hook could not decide: a service that it needs is not available. The attempt fails with
    /// [`FailureKind::Hook`] and is retried as one whose connection failed.
    ///
    /// ```
    /// use fetch_driver::HookError;
    /// let error = HookError::failed(std::io::Error::other("no answer from the vault"));
    /// ```
    pub fn failed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            kind: FailureKind::Hook,
            source: why.into(),
        }
    }

    /// The request is not sent, now or later. The fetch fails with [`FailureKind::Disallowed`].
    ///
    /// ```
    /// use fetch_driver::HookError;
    /// let error = HookError::refused("the quota of this tenant is used up");
    /// ```
    pub fn refused(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            kind: FailureKind::Disallowed,
            source: why.into(),
        }
    }

    pub(crate) fn into_parts(self) -> (FailureKind, Box<dyn std::error::Error + Send + Sync>) {
        (self.kind, self.source)
    }
}

impl fmt::Display for HookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl std::error::Error for HookError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.source()
    }
}
