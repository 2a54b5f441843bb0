//! Why an attempt, or the fetch as a whole, failed.

use core::fmt;

use crate::model::verdict::RetryClass;

/// The kind of failure that ended an attempt.
///
/// The driver reports it in [`Input::End`](crate::Input::End); the transport keeps the native
/// error. Timeouts are not included, because the core decides them.
///
/// ```
/// use fetch_proto::FailureKind;
///
/// let failure = FailureKind::Connect;
/// assert_eq!((failure.as_str(), &*failure.to_string()), ("connect", "could not connect"));
/// assert!(failure.is_transient() && failure.is_unsent());
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FailureKind {
    /// The body exceeded its limit while the transport decoded it.
    BodyTooLarge,
    /// No connection was established: refused, unreachable, or no network.
    Connect,
    /// The body could not be decoded: a broken gzip, br or zstd stream.
    Decode,
    /// The caller does not allow to fetch the URL that a redirect leads to, such as by robots.txt. The
    /// request was not sent.
    Disallowed,
    /// The transport dropped the attempt without a result, or panicked.
    Dropped,
    /// The server closed the connection without sending a byte of a response.
    EmptyReply,
    /// This machine is out of file descriptors or ports. Treated as back-pressure, not as a failure
    /// of the URL.
    Exhausted,
    /// A function of the caller that prepares attempts failed. Nothing was sent.
    Hook,
    /// The connection was reset, or closed in the middle of the response.
    Io,
    /// The server's addresses are private ones, which the settings forbid. The request was not sent.
    PrivateAddress,
    /// The response is not valid HTTP.
    Protocol,
    /// The proxy answered that it does not accept the credentials, or does not connect to the
    /// server. The request was not sent.
    ProxyRefused,
    /// A function of the caller rejected the response: [`ResponseVerdict`](crate::ResponseVerdict).
    Rejected,
    /// The caller's request body failed or cannot be sent.
    RequestBody,
    /// The resolver failed, or the host name has no address. A name that does not exist is
    /// [`UnknownHost`](Self::UnknownHost) where the transport can tell.
    Resolve,
    /// The body could not be saved, for example because the disk is full.
    Save,
    /// A pooled connection was closed before any byte of a response arrived. `sent` is true if the
    /// request, or a part of it, may have reached the server.
    Stale {
        /// Whether any byte of the request was written.
        sent: bool,
    },
    /// The TLS handshake failed or the certificate was not accepted.
    Tls,
    /// The connection ended without an answer after a request that is not idempotent was sent: the
    /// server may have processed it. The core chooses this kind in place of
    /// [`EmptyReply`](Self::EmptyReply), [`Io`](Self::Io) and [`Stale`](Self::Stale), because a
    /// repetition may do harm. It is retried only if its class is set:
    /// [`RetryClasses::failure`](crate::RetryClasses::failure).
    Unanswered,
    /// The host name does not exist, as the resolver has answered. It is not retried, except at another
    /// endpoint of a [`BalancedTarget`](crate::BalancedTarget), unless its class is set:
    /// [`RetryClasses::failure`](crate::RetryClasses::failure).
    UnknownHost,
    /// The server reported that it did not process the request: by GOAWAY or REFUSED_STREAM of
    /// HTTP/2 (RFC 9113, sections 6.8 and 8.7), or by closing a connection before the request could
    /// be written. It is sent again at once, and does not count as an attempt.
    Unprocessed {
        /// Whether the server answered another request to the same origin meanwhile. Otherwise only
        /// a few repetitions in a row are free.
        others_answered: bool,
    },
    /// The transport does not support the request, such as its URL scheme.
    Unsupported,
}

impl FailureKind {
    /// A short, stable name for metric labels and records.
    ///
    /// ```
    /// assert_eq!(fetch_proto::FailureKind::Resolve.as_str(), "dns");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BodyTooLarge => "too_large",
            Self::Connect => "connect",
            Self::Decode => "decode",
            Self::Disallowed => "disallowed",
            Self::Dropped => "dropped",
            Self::EmptyReply => "empty_reply",
            Self::Exhausted => "exhausted",
            Self::Hook => "hook",
            Self::Io => "io",
            Self::PrivateAddress => "private_address",
            Self::Protocol => "protocol",
            Self::ProxyRefused => "proxy_refused",
            Self::Rejected => "rejected",
            Self::RequestBody => "request_body",
            Self::Resolve => "dns",
            Self::Save => "save",
            Self::Stale { .. } => "stale",
            Self::Tls => "tls",
            Self::Unanswered => "unanswered",
            Self::UnknownHost => "unknown_host",
            Self::Unprocessed { .. } => "unprocessed",
            Self::Unsupported => "unsupported",
        }
    }

    /// Whether the same request may succeed a little later.
    ///
    /// ```
    /// use fetch_proto::FailureKind;
    /// assert!(FailureKind::Io.is_transient());
    /// assert!(!FailureKind::Tls.is_transient());
    /// ```
    #[must_use]
    pub fn is_transient(self) -> bool {
        match self {
            Self::Connect
            | Self::Dropped
            | Self::EmptyReply
            | Self::Exhausted
            | Self::Hook
            | Self::Io
            | Self::Resolve
            | Self::Stale { .. }
            | Self::Unanswered
            | Self::Unprocessed { .. } => true,
            Self::BodyTooLarge
            | Self::Decode
            | Self::Disallowed
            | Self::PrivateAddress
            | Self::Protocol
            | Self::ProxyRefused
            | Self::Rejected
            | Self::RequestBody
            | Self::Save
            | Self::Tls
            | Self::UnknownHost
            | Self::Unsupported => false,
        }
    }

    /// Whether the cause is this machine, a proxy or the end of a connection, and not a server in
    /// trouble.
    ///
    /// ```
    /// use fetch_proto::FailureKind;
    /// assert!(FailureKind::Exhausted.is_local());
    /// assert!(!FailureKind::Connect.is_local());
    /// ```
    #[must_use]
    pub fn is_local(self) -> bool {
        matches!(
            self,
            Self::Disallowed
                | Self::Dropped
                | Self::Exhausted
                | Self::Hook
                | Self::PrivateAddress
                | Self::ProxyRefused
                | Self::RequestBody
                | Self::Save
                | Self::Stale { .. }
                | Self::Unprocessed { .. }
                | Self::Unsupported
        )
    }

    /// Whether the server certainly did not process the request, so that any method may be sent
    /// again.
    ///
    /// ```
    /// use fetch_proto::FailureKind;
    /// assert!(FailureKind::Connect.is_unsent());
    /// assert!(!FailureKind::Io.is_unsent());
    /// ```
    #[must_use]
    pub const fn is_unsent(self) -> bool {
        matches!(
            self,
            Self::Connect
                | Self::Disallowed
                | Self::Exhausted
                | Self::Hook
                | Self::PrivateAddress
                | Self::ProxyRefused
                | Self::Resolve
                | Self::Stale { sent: false }
                | Self::Tls
                | Self::UnknownHost
                | Self::Unprocessed { .. }
                | Self::Unsupported
        )
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BodyTooLarge => "the decoded body exceeds its limit",
            Self::Connect => "could not connect",
            Self::Decode => "the body could not be decoded",
            Self::Disallowed => "not allowed",
            Self::Dropped => "the transport dropped the attempt",
            Self::EmptyReply => "the server closed the connection without a reply",
            Self::Exhausted => "out of file descriptors or ports on this machine",
            Self::Hook => "a hook failed",
            Self::Io => "the connection broke",
            Self::PrivateAddress => "the server has a private address",
            Self::Protocol => "the reply is not valid HTTP",
            Self::ProxyRefused => "the proxy refused",
            Self::Rejected => "the response was rejected",
            Self::RequestBody => "the request body could not be sent",
            Self::Resolve => "the name could not be resolved",
            Self::Save => "the body could not be saved",
            Self::Stale { .. } => "the reused connection was closed",
            Self::Tls => "TLS failed",
            Self::Unanswered => "no answer, but the server may have processed the request",
            Self::UnknownHost => "the host name does not exist",
            Self::Unprocessed { .. } => "the server did not process the request",
            Self::Unsupported => "not supported by the transport",
        })
    }
}

/// Why an attempt failed, or the status that may be retried.
///
/// ```
/// use fetch_proto::{FailureCause, TimeLimit};
/// assert_eq!(FailureCause::Timeout(TimeLimit::Attempt).to_string(), "attempt timeout");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum FailureCause {
    /// The transport failed.
    Failure(FailureKind),
    /// The caller rejected the response, as a failure of this class.
    Rejected(RetryClass),
    /// The status code.
    Status(u16),
    /// A time limit was reached.
    Timeout(TimeLimit),
}

impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(failure) => write!(f, "{failure}"),
            Self::Rejected(_) => f.write_str("rejected response"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Timeout(limit) => write!(f, "{limit} timeout"),
        }
    }
}

/// One of the limits in [`Timeouts`](crate::Timeouts).
///
/// ```
/// assert_eq!(fetch_proto::TimeLimit::FirstByte.to_string(), "first byte");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TimeLimit {
    /// [`Timeouts::attempt`](field@crate::Timeouts::attempt).
    Attempt,
    /// [`Timeouts::connect`](field@crate::Timeouts::connect).
    Connect,
    /// [`Timeouts::first_byte`](field@crate::Timeouts::first_byte).
    FirstByte,
    /// A function of the caller took too long: [`Timeouts::hook`](crate::Timeouts::hook).
    Hook,
    /// [`Timeouts::idle_read`](field@crate::Timeouts::idle_read).
    IdleRead,
    /// [`Timeouts::queue`](field@crate::Timeouts::queue).
    Queue,
    /// The minimum throughput of a body: [`Policy::stall`](crate::Policy::stall).
    Throughput,
    /// [`Timeouts::total`](field@crate::Timeouts::total).
    Total,
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attempt => "attempt",
            Self::Connect => "connect",
            Self::FirstByte => "first byte",
            Self::Hook => "hook",
            Self::IdleRead => "idle read",
            Self::Queue => "queue",
            Self::Throughput => "throughput",
            Self::Total => "total",
        })
    }
}

/// Why a redirect was not followed.
///
/// ```
/// # use fetch_proto::testing::{FetchScript, status};
/// use fetch_proto::{FetchError, Policy, RedirectError};
///
/// let mut script = FetchScript::new(Policy::default());
/// script.answers([status(302).location("ftp://a.test/")]);
/// let error = FetchError::Redirect(RedirectError::Scheme);
/// assert_eq!(script.run().outcome().result, Err(error));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RedirectError {
    /// The redirect needs the request body again, which can be sent only once.
    BodyNotReplayable,
    /// The redirect leads from https to http.
    Downgrade,
    /// The redirect leads to http, and the policy allows https only.
    HttpsOnly,
    /// `Location` is not a URL.
    InvalidLocation,
    /// The redirect leads to a scheme other than http and https.
    Scheme,
    /// The policy allows no more redirects.
    TooMany,
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BodyNotReplayable => {
                "the redirect needs the request body again, which can be sent only once"
            }
            Self::Downgrade => "the redirect leads from https to http",
            Self::HttpsOnly => "the redirect leads to http, and only https is allowed",
            Self::InvalidLocation => "the redirect's Location is not a URL",
            Self::Scheme => "the redirect leads to a scheme other than http and https",
            Self::TooMany => "too many redirects",
        })
    }
}
