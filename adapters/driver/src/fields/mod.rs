//! Header fields and URLs: cookies, `Retry-After`, `RateLimit`, redaction.

pub(crate) mod cookie_jar;
pub(crate) mod cookies;
pub(crate) mod rate_limit;
pub(crate) mod redact;
pub(crate) mod retry_after;
