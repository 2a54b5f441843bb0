//! Header fields and URLs: cookies, HSTS, logins, redaction.

#[cfg(feature = "cookies")]
pub(crate) mod cookies;
pub(crate) mod hsts;
pub(crate) mod netrc;
pub(crate) mod redact;
