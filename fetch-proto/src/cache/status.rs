//! What the cache did, as `Cache-Status` (RFC 9211).

use core::fmt;

/// Why a request was sent although there is a cache, in the words of RFC 9211.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ForwardReason {
    /// The cache was not to be used.
    Bypass,
    /// The method cannot be answered from the cache.
    Method,
    /// The request asks for a new response.
    Request,
    /// The stored response is stale, or must be validated.
    Stale,
    /// Nothing is stored for the URL.
    UriMiss,
    /// What is stored for the URL does not match the request's fields.
    VaryMiss,
}

impl ForwardReason {
    /// The word of RFC 9211.
    ///
    /// ```
    /// use fetch_proto::cache::ForwardReason;
    /// assert_eq!(ForwardReason::UriMiss.as_str(), "uri-miss");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
        }
    }
}

/// What the cache did with one request. Its text is a member of `Cache-Status` (RFC 9211).
///
/// ```
/// use fetch_proto::cache::{CacheResult, CacheStatus, ForwardReason};
///
/// let mut hit = CacheStatus::default();
/// hit.ttl = Some(376);
/// assert_eq!(hit.to_string(), "fetch-all; hit; ttl=376");
/// let mut sent = CacheStatus::forwarded(ForwardReason::Stale);
/// sent.forward_status = Some(304);
/// sent.is_stored = true;
/// assert_eq!(sent.to_string(), "fetch-all; fwd=stale; fwd-status=304; stored");
/// assert_eq!(sent.result(), CacheResult::Revalidated);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct CacheStatus {
    /// What else there is to know, such as why a response was not stored.
    pub detail: Option<&'static str>,
    /// Why the request was sent; `None` if a stored response was the answer without that.
    pub forward: Option<ForwardReason>,
    /// The status of the server's answer.
    pub forward_status: Option<u16>,
    /// Whether it waited for the response to an identical request.
    pub is_collapsed: bool,
    /// Whether a stale response was used in place of an error.
    pub is_stale_on_error: bool,
    /// Whether the response was stored.
    pub is_stored: bool,
    /// For how long the response is still fresh, in seconds; negative if it is stale.
    pub ttl: Option<i64>,
}

/// What the cache did, in one word.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CacheResult {
    /// The cache was not used.
    Bypass,
    /// A fresh response was in the cache.
    Hit,
    /// No usable response was in the cache.
    Miss,
    /// A stored response was confirmed by the server.
    Revalidated,
    /// A stale response was used.
    Stale,
}

impl CacheResult {
    /// The word.
    ///
    /// ```
    /// assert_eq!(fetch_proto::cache::CacheResult::Hit.as_str(), "hit");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Revalidated => "revalidated",
            Self::Stale => "stale",
        }
    }
}

impl CacheStatus {
    /// The status of a request that is sent for this reason.
    ///
    /// ```
    /// use fetch_proto::cache::{CacheStatus, ForwardReason};
    /// let status = CacheStatus::forwarded(ForwardReason::UriMiss);
    /// assert_eq!(status.to_string(), "fetch-all; fwd=uri-miss");
    /// ```
    #[must_use]
    pub fn forwarded(reason: ForwardReason) -> Self {
        Self {
            forward: Some(reason),
            ..Self::default()
        }
    }

    /// It in one word.
    ///
    /// ```
    /// use fetch_proto::cache::{CacheResult, CacheStatus};
    /// assert_eq!(CacheStatus::default().result(), CacheResult::Hit);
    /// ```
    #[must_use]
    pub fn result(&self) -> CacheResult {
        if self.is_stale_on_error {
            return CacheResult::Stale;
        }
        match self.forward {
            None if self.ttl.is_some_and(|ttl| ttl <= 0) => CacheResult::Stale,
            None => CacheResult::Hit,
            Some(ForwardReason::Bypass | ForwardReason::Method) => CacheResult::Bypass,
            Some(_) if self.forward_status == Some(304) => CacheResult::Revalidated,
            Some(_) => CacheResult::Miss,
        }
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fetch-all")?;
        match self.forward {
            None => f.write_str("; hit")?,
            Some(reason) => write!(f, "; fwd={}", reason.as_str())?,
        }
        if let Some(status) = self.forward_status {
            write!(f, "; fwd-status={status}")?;
        }
        if let Some(ttl) = self.ttl {
            write!(f, "; ttl={ttl}")?;
        }
        if self.is_stored {
            f.write_str("; stored")?;
        }
        if self.is_collapsed {
            f.write_str("; collapsed")?;
        }
        match (self.is_stale_on_error, self.detail) {
            (true, _) => f.write_str("; detail=stale-if-error"),
            (false, Some(detail)) => write!(f, "; detail={detail}"),
            (false, None) => Ok(()),
        }
    }
}
