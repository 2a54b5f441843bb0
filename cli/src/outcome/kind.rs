//! The field `outcome` of a record.

use std::fmt;

use serde::Serialize;

/// How the fetch of a URL ended. Sorted by name, because equal counts are listed in this order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutcomeKind {
    /// There is no token to authenticate the request with.
    Auth,
    Cancelled,
    /// The body does not have the checksum of the list.
    Checksum,
    Connect,
    Dns,
    HttpError,
    /// The line is not a URL.
    Invalid,
    Io,
    Ok,
    Protocol,
    /// robots.txt forbids the URL, or could not be fetched.
    Robots,
    /// The body's file existed already.
    Skipped,
    Timeout,
    Tls,
    TooLarge,
    /// A request that is not idempotent was sent and not answered.
    Unanswered,
}

impl OutcomeKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cancelled => "cancelled",
            Self::Checksum => "checksum",
            Self::Connect => "connect",
            Self::Dns => "dns",
            Self::HttpError => "http_error",
            Self::Invalid => "invalid",
            Self::Io => "io",
            Self::Ok => "ok",
            Self::Protocol => "protocol",
            Self::Robots => "robots",
            Self::Skipped => "skipped",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::TooLarge => "too_large",
            Self::Unanswered => "unanswered",
        }
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
