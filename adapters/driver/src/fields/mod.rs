//! Header fields of HTTP: cookies, `Retry-After`, rate limits, and what must not be logged.

pub(crate) mod cookie_jar;
pub(crate) mod cookies;
pub(crate) mod rate_limit;
pub(crate) mod redact;
pub(crate) mod retry_after;
