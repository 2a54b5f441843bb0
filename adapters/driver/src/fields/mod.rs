//! Header fields and URLs: cookies, HSTS, logins, `Retry-After`, `RateLimit`, redaction.

#[cfg(feature = "cookies")]
pub(crate) mod cookies;
pub(crate) mod hsts;
pub(crate) mod netrc;
pub(crate) mod rate_limit;
pub(crate) mod redact;
pub(crate) mod retry_after;
