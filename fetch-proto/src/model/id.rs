//! Identifiers of fetches and attempts.

use core::fmt;

/// Identifies a fetch in an [`Engine`](crate::Engine).
///
/// A slot is reused after its fetch ends; the generation distinguishes its fetches, so a stale id
/// matches nothing. A [`Fetch`](crate::Fetch) without an engine has [`FetchId::STANDALONE`].
///
/// ```
/// use fetch_proto::FetchId;
/// assert_eq!(FetchId::STANDALONE.to_string(), "0.0");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct FetchId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl FetchId {
    /// The id of a [`Fetch`](crate::Fetch) that no engine owns.
    pub const STANDALONE: Self = Self {
        slot: 0,
        generation: 0,
    };

    /// The index of the fetch's slot, which a driver may use to index a table: dense, below the
    /// engine's window, and reused.
    ///
    /// ```
    /// assert_eq!(fetch_proto::FetchId::STANDALONE.slot(), 0);
    /// ```
    #[must_use]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }
}

impl fmt::Display for FetchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// Identifies one attempt of a fetch: the first request, a retry, a redirect or a hedge.
///
/// ```
/// # use fetch_proto::{Fetch, FetchRequest, Policy, Timestamp};
/// # let request = FetchRequest::get("http://a.test/".parse()?);
/// # let mut fetch = Fetch::new(request, Policy::default().into(), 0, Timestamp::START);
/// # let _ = fetch.poll(Timestamp::START);
/// let attempt = fetch.start(Timestamp::START).expect("the fetch is ready");
/// assert_eq!(attempt.id.to_string(), "0.0#1");
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct AttemptId {
    /// The fetch it belongs to.
    pub fetch: FetchId,
    pub(crate) number: u16,
}

impl AttemptId {
    /// The number of the attempt within its fetch, from 1. Redirects and free retries count.
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, FetchRequest, FetchStep, Timestamp};
    /// # let mut fetch = Fetch::new(FetchRequest::get("http://a.test/".parse()?), Policy::default().into(), 0, Timestamp::START);
    /// # let _ = fetch.poll(Timestamp::START);
    /// let attempt = fetch.start(Timestamp::START).expect("it was ready");
    /// assert_eq!(attempt.id.number(), 1);
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub const fn number(self) -> u16 {
        self.number
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.fetch, self.number)
    }
}
