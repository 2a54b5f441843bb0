//! Why responses are not stored.

use core::fmt;

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum NotStored {
    /// The request has an `Authorization` field, and the cache is shared (RFC 9111, section 3.5).
    Authorization,
    /// The method is not GET.
    Method,
    /// The request or the response forbids it by `no-store`, or cannot be understood.
    NoStore,
    /// The response is for one user, and the cache is shared.
    Private,
    /// The response sets a cookie, and the cache is shared.
    SetCookie,
    /// The status, or the lack of a lifetime with this status.
    Status,
    /// It is neither fresh for any time, nor can it be validated.
    Useless,
    /// Its `Vary` matches no request.
    Vary,
}

impl NotStored {
    /// A word for it.
    ///
    /// ```
    /// use fetch_proto::cache::NotStored;
    /// assert_eq!(NotStored::NoStore.as_str(), "no-store");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Method => "method",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::SetCookie => "set-cookie",
            Self::Status => "status",
            Self::Useless => "no-lifetime",
            Self::Vary => "vary",
        }
    }
}

impl fmt::Display for NotStored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
