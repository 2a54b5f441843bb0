//! What a hook decides about a response.

use fetch_proto::{ResponseVerdict, RetryClass};

/// What a hook decides about a response: see [`Builder::classify`](crate::Builder::classify).
///
/// ```
/// use fetch_driver::{RetryClass, Verdict};
///
/// let busy = Verdict::retry(RetryClass::Throttled, "the body says that the server is busy");
/// assert_ne!(busy, Verdict::by_policy());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    pub(crate) decided: Option<ResponseVerdict>,
    /// Why a response is rejected.
    pub(crate) reason: Option<String>,
}

impl Verdict {
    /// The response is the result, whatever its status: it is not retried, and a redirect is not
    /// followed.
    ///
    /// ```
    /// let verdict = fetch_driver::Verdict::accept();
    /// ```
    #[must_use]
    pub const fn accept() -> Self {
        Self {
            decided: Some(ResponseVerdict::Accept),
            reason: None,
        }
    }

    /// The policy decides, as without a hook.
    ///
    /// ```
    /// let verdict = fetch_driver::Verdict::by_policy();
    /// ```
    #[must_use]
    pub const fn by_policy() -> Self {
        Self {
            decided: None,
            reason: None,
        }
    }

    /// The fetch fails for this reason, with
    /// [`FailureKind::Rejected`](crate::FailureKind::Rejected), whatever the status.
    ///
    /// ```
    /// let verdict = fetch_driver::Verdict::fail("the body is a page for login");
    /// ```
    #[must_use]
    pub fn fail(reason: impl Into<String>) -> Self {
        Self::retry(RetryClass::Forbidden, reason)
    }

    /// The attempt failed for this reason, and is retried as a failure of this class, within the policy's
    /// attempts and budgets and if the method may be repeated. If no retry is left, the fetch fails as by
    /// [`fail`](Self::fail).
    ///
    /// ```
    /// use fetch_driver::{RetryClass, Verdict};
    /// let verdict = Verdict::retry(RetryClass::Server, "the body has an error object");
    /// ```
    #[must_use]
    pub fn retry(class: RetryClass, reason: impl Into<String>) -> Self {
        Self {
            decided: Some(ResponseVerdict::Reject(class)),
            reason: Some(reason.into()),
        }
    }
}
