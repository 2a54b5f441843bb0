//! Which fields are stored, and how stored responses are changed: by a 304, and by unsafe requests.

use alloc::string::String;
use alloc::vec::Vec;

use url::Url;

use crate::cache::fields::{CacheFields, has, is_token, members, single};
use crate::cache::stored::StoredHead;
use crate::cache::time::WallTime;
use crate::model::method::Method;

/// Whether a field of a response may be stored: not those of the connection (RFC 9111, section 3.1). The
/// name is in lower case.
///
/// ```
/// use fetch_proto::cache::is_stored_field;
///
/// let fields = [("connection", "a, close"), ("a", "1"), ("b", "2")];
/// assert!(!is_stored_field("a", &fields));
/// assert!(!is_stored_field("keep-alive", &fields));
/// assert!(is_stored_field("b", &fields));
/// ```
#[must_use]
pub fn is_stored_field(name: &str, response: &dyn CacheFields) -> bool {
    const NEVER: [&str; 10] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let mut is_listed = false;
    response.each_value("connection", &mut |value| {
        is_listed |= members(value).any(|member| {
            member.iter().all(|byte| is_token(*byte))
                && member.eq_ignore_ascii_case(name.as_bytes())
        });
    });
    !is_listed && !NEVER.contains(&name)
}

/// Whether a field of a 304 replaces the stored one (RFC 9111, section 3.2). The name is in lower case.
///
/// After all fields are replaced, the driver decides again with [`judge_store`](super::judge_store), as
/// if the response with the new fields had just been received. If the 304 has no `Date`, the stored one
/// becomes the time at which the 304 was received; if it has no `Age`, the stored one is removed.
///
/// ```
/// use fetch_proto::cache::is_updated_field;
///
/// let fields: [(&str, &str); 0] = [];
/// assert!(is_updated_field("cache-control", &fields));
/// assert!(!is_updated_field("content-length", &fields));
/// ```
#[must_use]
pub fn is_updated_field(name: &str, response: &dyn CacheFields) -> bool {
    let is_of_body = matches!(
        name,
        "content-encoding" | "content-length" | "content-range"
    );
    !is_of_body && is_stored_field(name, response)
}

/// Whether a 304 is about the stored response that was validated: a validator that it has must be the
/// stored one (RFC 9111, section 4.3.4).
///
/// ```
/// # use fetch_proto::cache::{StoredHead, confirms};
/// # fn example(head: &StoredHead) {
/// let fields: [(&str, &str); 0] = [];
/// assert!(confirms(head, &fields));
/// # }
/// ```
#[must_use]
pub fn confirms(head: &StoredHead, response: &dyn CacheFields) -> bool {
    match (single(response, "etag"), &head.etag) {
        (Some(new), Some(stored)) => weak(&new) == weak(stored),
        // A strong tag is of another response; a weak one says nothing about the stored one.
        (Some(new), None) => new.starts_with("W/"),
        (None, _) => true,
    }
}

/// An entity tag for the weak comparison.
fn weak(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Whether a conditional GET or HEAD of the caller, with `If-None-Match` or `If-Modified-Since`, is
/// answered by 304, given the stored response that would be served (RFC 9111, section 4.3.2).
///
/// ```
/// # use fetch_proto::cache::{StoredHead, answers_condition};
/// # fn example(head: &StoredHead) {
/// let unconditional: [(&str, &str); 0] = [];
/// assert!(!answers_condition(&unconditional, head));
/// # }
/// ```
#[must_use]
pub fn answers_condition(request: &dyn CacheFields, head: &StoredHead) -> bool {
    if head.status != 200 {
        return false;
    }
    if has(request, "if-none-match") {
        let mut is_matched = false;
        request.each_value("if-none-match", &mut |value| {
            is_matched |= members(value).any(|tag| {
                let tag: String = tag.iter().map(|byte| char::from(*byte)).collect();
                let stored = head.etag.as_deref();
                tag == "*" || stored.is_some_and(|stored| weak(&tag) == weak(stored))
            });
        });
        return is_matched;
    }
    let parse = |text: &str| WallTime::parse(text, head.received);
    let since = single(request, "if-modified-since").and_then(|text| parse(&text));
    let modified = head.last_modified.as_deref().and_then(parse);
    since
        .zip(modified)
        .is_some_and(|(since, modified)| modified <= since)
}

/// The URLs whose stored responses a response to an unsafe request invalidates (RFC 9111, section 4.4):
/// its own, and those of the same origin in `Location` and `Content-Location`. None after a failure, and
/// none after a safe method.
///
/// ```
/// use fetch_proto::Method;
/// use fetch_proto::cache::invalidated_urls;
///
/// let url = "http://a.test/items".parse()?;
/// let fields = [("Location", "/items/7"), ("Content-Location", "http://b.test/")];
/// let invalid = invalidated_urls(&Method::Post, 201, &url, &fields);
/// let invalid: Vec<_> = invalid.iter().map(|url| url.as_str()).collect();
/// assert_eq!(invalid, ["http://a.test/items", "http://a.test/items/7"]);
/// assert!(invalidated_urls(&Method::Get, 200, &url, &fields).is_empty());
/// # Ok::<(), url::ParseError>(())
/// ```
#[must_use]
pub fn invalidated_urls(
    method: &Method,
    status: u16,
    url: &Url,
    response: &dyn CacheFields,
) -> Vec<Url> {
    let is_safe = matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE");
    if is_safe || !(200..400).contains(&status) {
        return Vec::new();
    }
    let mut urls = Vec::from([url.clone()]);
    for name in ["location", "content-location"] {
        let other = single(response, name).and_then(|text| url.join(&text).ok());
        urls.extend(other.filter(|other| other.origin() == url.origin()));
    }
    urls.iter_mut().for_each(|url| url.set_fragment(None));
    urls.dedup();
    urls
}
