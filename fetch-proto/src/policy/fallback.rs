//! What to give where there is no good response: the last resort.

use alloc::sync::Arc;

use url::Url;

/// What a fetch falls back on when it would end with an error, or with a response that was worth a
/// retry and got none: another URL first, then a value that the caller has. Never after a
/// cancellation, nor once the consumer was given a part of a response.
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
    /// Another URL, which is fetched like the first: with as many attempts, within what is left of
    /// the total limit. Credentials go along only within one origin; the request must be
    /// repeatable, as for a retry.
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

    /// A value of the caller's: an earlier response, or a constant. The outcome only says that it is
    /// time for it ([`FetchOutcome::needs_fallback_value`](crate::FetchOutcome::needs_fallback_value)); values never come here.
    ///
    /// ```
    /// let fallback = fetch_proto::Fallback::value();
    /// ```
    #[must_use]
    pub fn value() -> Self {
        Self::default().or_value()
    }

    /// The other URL, if there is one.
    ///
    /// ```
    /// assert_eq!(fetch_proto::Fallback::value().url(), None);
    /// ```
    #[must_use]
    pub fn url(&self) -> Option<&Url> {
        self.url.as_deref()
    }

    /// Whether a value of the caller's comes last.
    ///
    /// ```
    /// assert!(fetch_proto::Fallback::value().has_value());
    /// ```
    #[must_use]
    pub const fn has_value(&self) -> bool {
        self.value
    }

    /// The same, and a value if the other URL fails too.
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
