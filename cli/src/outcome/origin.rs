//! Which site a URL belongs to.

use std::borrow::Cow;

use url::{Position, Url};

/// Scheme, host and port, the port only where it is not the scheme's own: what limits, robots.txt
/// and the engine know a host by. User and password are left out.
pub(crate) fn origin(url: &Url) -> Cow<'_, str> {
    if url.username().is_empty() && url.password().is_none() {
        return url[..Position::AfterPort].into();
    }
    format!("{}://{}", url.scheme(), host(url)).into()
}

/// Host and port, the port only where it is not the scheme's own: what people know a host by.
pub(crate) fn host(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_default_ports_make_no_other_site() {
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
