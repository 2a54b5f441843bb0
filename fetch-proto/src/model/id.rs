//! Names for fetches and attempts that cannot be mistaken for a later one's.

use core::fmt;

/// A fetch in an [`Engine`](crate::Engine).
///
/// Checked by generation: when the fetch is over and its slot serves another, the old id matches
/// nothing, so using it late is harmless. A lone [`Fetch`](crate::Fetch) has [`FetchId::STANDALONE`].
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

    /// The index of the fetch's slot: small, dense, below the engine's window, and reused. A driver
    /// may use it to index a table of its own.
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

/// One attempt of a fetch: a try, a retry or a redirect's hop.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct AttemptId {
    /// The fetch it belongs to.
    pub fetch: FetchId,
    pub(crate) number: u16,
}

impl AttemptId {
    /// Which request of its fetch this is, from 1, redirects and free retries included.
    ///
    /// ```
    /// # use fetch_proto::{Fetch, Policy, FetchRequest, Step, Timestamp};
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
