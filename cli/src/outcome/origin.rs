//! The site of a URL.

use std::borrow::Cow;

use url::{Position, Url};

/// Scheme, host and port, without a default port, user and password: the key of a host in limits,
/// in robots.txt and in the engine.
pub(crate) fn origin(url: &Url) -> Cow<'_, str> {
    if url.username().is_empty() && url.password().is_none() {
        return url[..Position::AfterPort].into();
    }
    format!("{}://{}", url.scheme(), host(url)).into()
}

/// Host and port, without a default port: the name of a host for people.
pub(crate) fn host(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_default_ports_do_not_change_the_site() {
        for (url, site, name) in [
            ("https://a.test:443/x?y#z", "https://a.test", "a.test"),
            (
                "http://u:p@A.test:8080/",
                "http://a.test:8080",
                "a.test:8080",
            ),
            ("http://[::1]:80/", "http://[::1]", "[::1]"),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!((&*origin(&url), host(&url)), (site, name));
        }
    }
}
