//! The settings of a cache, and the mode of one request.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

/// Whose responses a cache may store and reuse.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum CacheScope {
    /// Those of one user: responses marked `private`, and to requests with credentials, are stored.
    #[default]
    Private,
    /// Those of many users, with the restrictions of RFC 9111, section 3.5.
    Shared,
}

/// How one request uses the cache. The names and their meaning are those of the Fetch standard.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum CacheMode {
    /// A fresh response is reused, a stale one is validated.
    #[default]
    Default,
    /// Nothing is looked up and nothing is stored.
    NoStore,
    /// Nothing is looked up; the response is stored.
    Reload,
    /// A stored response is validated even if it is fresh.
    NoCache,
    /// A stored response is used however old it is; without one, the request is sent.
    ForceCache,
    /// A stored response is used however old it is; without one, the answer is 504.
    OnlyIfCached,
}

impl CacheMode {
    /// All modes, in the order of the Fetch standard.
    pub const ALL: [Self; 6] = [
        Self::Default,
        Self::NoStore,
        Self::Reload,
        Self::NoCache,
        Self::ForceCache,
        Self::OnlyIfCached,
    ];

    /// The name in the Fetch standard.
    ///
    /// ```
    /// use fetch_proto::cache::CacheMode;
    /// assert_eq!(CacheMode::OnlyIfCached.name(), "only-if-cached");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::NoStore => "no-store",
            Self::Reload => "reload",
            Self::NoCache => "no-cache",
            Self::ForceCache => "force-cache",
            Self::OnlyIfCached => "only-if-cached",
        }
    }
}

/// The settings of a cache. The defaults follow the standards and add nothing to them.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::cache::{CacheRules, CacheScope};
///
/// let rules = CacheRules::default()
///     .scope(CacheScope::Shared)
///     .stale_if_error(Duration::from_secs(3600));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct CacheRules {
    pub(super) scope: CacheScope,
    /// In percent of the time since `Last-Modified`.
    pub(super) heuristic_percent: u8,
    pub(super) heuristic_most: Duration,
    pub(super) max_ttl: Option<Duration>,
    pub(super) min_ttl: Duration,
    pub(super) stale_if_error: Option<Duration>,
    pub(super) stale_while_revalidate: Option<Duration>,
    pub(super) targeted: Vec<Box<str>>,
}

impl Default for CacheRules {
    fn default() -> Self {
        Self {
            scope: CacheScope::Private,
            heuristic_percent: Self::HEURISTIC_PERCENT,
            heuristic_most: Self::HEURISTIC_MAX,
            max_ttl: None,
            min_ttl: Duration::ZERO,
            stale_if_error: None,
            stale_while_revalidate: None,
            targeted: Vec::new(),
        }
    }
}

impl CacheRules {
    /// The longest lifetime by heuristics by default: a day.
    pub const HEURISTIC_MAX: Duration = Duration::from_secs(24 * 3600);

    /// The lifetime by heuristics by default, in percent of the time since `Last-Modified`: 10.
    pub const HEURISTIC_PERCENT: u8 = 10;

    /// Sets whose responses may be stored. Default: those of one user.
    ///
    /// ```
    /// use fetch_proto::cache::{CacheRules, CacheScope};
    /// let rules = CacheRules::default().scope(CacheScope::Shared);
    /// ```
    #[must_use]
    pub fn scope(mut self, scope: CacheScope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets how long a response without an explicit lifetime is fresh, in percent of the time since its
    /// `Last-Modified`, and at most how long (RFC 9111, section 4.2.2). Default 10 %, at most 24 hours;
    /// 0 % means never.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::cache::CacheRules;
    /// let never = CacheRules::default().heuristic(0, Duration::ZERO);
    /// ```
    #[must_use]
    pub fn heuristic(mut self, percent: u8, most: Duration) -> Self {
        (self.heuristic_percent, self.heuristic_most) = (percent, most);
        self
    }

    /// Sets bounds on lifetimes. The lower one lengthens only positive lifetimes: what is stale at once, or must
    /// not be stored, stays so. Default: none.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::cache::CacheRules;
    /// let rules = CacheRules::default().ttl(Duration::ZERO, Some(Duration::from_secs(3600)));
    /// ```
    #[must_use]
    pub fn ttl(mut self, min: Duration, max: Option<Duration>) -> Self {
        (self.min_ttl, self.max_ttl) = (min, max);
        self
    }

    /// Sets how long after its end of life a response may replace an error, unless the response says so
    /// itself or forbids it (RFC 5861). Default: not at all.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::cache::CacheRules;
    /// let rules = CacheRules::default().stale_if_error(Duration::from_secs(86_400));
    /// ```
    #[must_use]
    pub fn stale_if_error(mut self, limit: Duration) -> Self {
        self.stale_if_error = Some(limit);
        self
    }

    /// Sets how long after its end of life a response is used while it is validated in the background,
    /// unless the response says so itself or forbids it (RFC 5861). Default: not at all.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::cache::CacheRules;
    /// let rules = CacheRules::default().stale_while_revalidate(Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn stale_while_revalidate(mut self, limit: Duration) -> Self {
        self.stale_while_revalidate = Some(limit);
        self
    }

    /// Sets the names of fields that replace `Cache-Control` and `Expires` (RFC 9213), the most specific
    /// first. Default: none.
    ///
    /// ```
    /// use fetch_proto::cache::CacheRules;
    /// let rules = CacheRules::default().targeted(["CDN-Cache-Control"]);
    /// ```
    #[must_use]
    pub fn targeted(mut self, names: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.targeted = names.into_iter().map(Into::into).collect();
        self
    }

    /// Whether responses of many users are stored.
    ///
    /// ```
    /// assert!(!fetch_proto::cache::CacheRules::default().is_shared());
    /// ```
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.scope == CacheScope::Shared
    }
}
