//! Cookies that servers set and that are sent back (RFC 6265bis), and files of them.
//!
//! No crate does this: cookie_store, which most clients use, lets http replace secure cookies, knows no prefixes of
//! names and reads one form of dates. What a client may choose:
//!
//! - `Secure` cookies are set by and sent to https only, also at the loopback addresses.
//! - `SameSite` is ignored: there are no pages whose site could be another one, and each request is
//!   a navigation of its own, as if the user had typed its URL.
//! - `HttpOnly` is kept for files, as there are no scripts.

mod date;
mod file;
pub(crate) mod jar;
mod set_cookie;
mod storage;
#[cfg(test)]
mod tests;
