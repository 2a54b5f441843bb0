//! Fallbacks of failed fetches.

use alloc::sync::Arc;

use url::Url;

/// The replacement for the result of a fetch that would end with an error, or with a retryable
/// response: another URL first, then a value of the caller. Not used after a cancellation, nor
/// after the consumer has received a part of a response.
///
/// ```
/// use fetch_proto::{Fallback, Policy};
///
/// let mirror = Fallback::to("https://mirror.example/list".parse()?).or_value();
/// let policy = Policy::default().fallback(mirror);
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Fallback {
    pub(crate) url: Option<Arc<Url>>,
    pub(crate) value: bool,
}

impl Fallback {
    /// Another URL, which is fetched with the same number of attempts, within the rest of the total
    /// limit. Credentials are sent only within one origin. The request must be repeatable, as for a
    /// retry.
    ///
    /// ```
    /// let fallback = fetch_proto::Fallback::to("http://b.test/".parse()?);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn to(url: Url) -> Self {
        Self {
            url: Some(Arc::new(url)),
            value: false,
        }
    }

    /// A value of the caller, such as an earlier response. The outcome only reports that it is
    /// needed ([`FetchOutcome::needs_fallback_value`](crate::FetchOutcome::needs_fallback_value));
    /// the value does not enter the core.
    ///
    /// ```
    /// let fallback = fetch_proto::Fallback::value();
    /// ```
    #[must_use]
    pub fn value() -> Self {
        Self::default().or_value()
    }

    /// The fallback URL.
    ///
    /// ```
    /// assert_eq!(fetch_proto::Fallback::value().url(), None);
    /// ```
    #[must_use]
    pub fn url(&self) -> Option<&Url> {
        self.url.as_deref()
    }

    /// Whether the caller has a fallback value.
    ///
    /// ```
    /// assert!(fetch_proto::Fallback::value().has_value());
    /// ```
    #[must_use]
    pub const fn has_value(&self) -> bool {
        self.value
    }

    /// Adds a value of the caller, which is used if the fallback URL fails.
    ///
    /// ```
    /// # use fetch_proto::Fallback;
    /// assert_eq!(Fallback::default().or_value(), Fallback::value());
    /// ```
    #[must_use]
    pub fn or_value(mut self) -> Self {
        self.value = true;
        self
    }
}
