//! Parts of URLs that several crates use.

use alloc::borrow::Cow;
use alloc::format;

use url::{Position, Url};

/// The origin of a URL: scheme, host and port, without a default port, user and password. It is the
/// key of a host in the engine's queues, limits and statistics.
///
/// ```
/// let url = "https://user:password@a.test:443/x".parse()?;
/// assert_eq!(fetch_proto::url_origin(&url), "https://a.test");
/// # Ok::<(), url::ParseError>(())
/// ```
#[must_use]
pub fn url_origin(url: &Url) -> Cow<'_, str> {
    if url.username().is_empty() && url.password().is_none() {
        return Cow::Borrowed(&url[..Position::AfterPort]);
    }
    Cow::Owned(format!("{}://{}", url.scheme(), url_host(url)))
}

/// Host and port of a URL, without a default port, user and password: the value of the `Host`
/// field, and the display name of a host.
///
/// ```
/// let url = "http://user:password@a.test:8080/x".parse()?;
/// assert_eq!(fetch_proto::url_host(&url), "a.test:8080");
/// # Ok::<(), url::ParseError>(())
/// ```
#[must_use]
pub fn url_host(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_default_ports_do_not_change_the_origin() {
        for (url, origin, host) in [
            ("https://a.test:443/x?y#z", "https://a.test", "a.test"),
            (
                "http://u:p@A.test:8080/",
                "http://a.test:8080",
                "a.test:8080",
            ),
            ("http://[::1]:80/", "http://[::1]", "[::1]"),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!((&*url_origin(&url), url_host(&url)), (origin, host));
        }
    }
}
