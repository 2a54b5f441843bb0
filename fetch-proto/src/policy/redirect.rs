//! Redirects by RFC 9110, section 15.4.

use url::Url;

use crate::model::failure::RedirectError;
use crate::model::method::Method;

/// Whether and how redirects are followed.
///
/// ```
/// use fetch_proto::RedirectPolicy;
///
/// assert_eq!(RedirectPolicy::default(), RedirectPolicy::limit(10));
/// assert_eq!(RedirectPolicy::NONE, RedirectPolicy::limit(0));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RedirectPolicy {
    pub(crate) max: u16,
    pub(crate) downgrade: bool,
}

impl RedirectPolicy {
    /// Redirects are not followed. The 3xx response is the result.
    pub const NONE: Self = Self::limit(0);

    /// At most `max` redirects are followed. Default 10.
    ///
    /// ```
    /// let redirects = fetch_proto::RedirectPolicy::limit(3);
    /// ```
    #[must_use]
    pub const fn limit(max: u16) -> Self {
        Self {
            max,
            downgrade: false,
        }
    }

    /// Sets whether a redirect may lead from https to http, where secrets are sent in the clear.
    /// Default no.
    ///
    /// ```
    /// let redirects = fetch_proto::RedirectPolicy::default().allow_downgrade(true);
    /// ```
    #[must_use]
    pub const fn allow_downgrade(mut self, allow: bool) -> Self {
        self.downgrade = allow;
        self
    }
}

impl Default for RedirectPolicy {
    fn default() -> Self {
        Self::limit(10)
    }
}

/// The request that follows a redirect.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct RedirectHop {
    pub(crate) url: Url,
    pub(crate) method: Method,
    pub(crate) send_body: bool,
    /// Whether the origin changes, so that credentials must not be sent.
    pub(crate) cross_origin: bool,
}

/// Whether `status` redirects to `Location`. 300 and 304 do not.
pub(crate) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The request that `status` with `location` leads to.
pub(crate) fn hop(
    status: u16,
    location: &str,
    from: &Url,
    method: &Method,
    send_body: bool,
    rules: RedirectPolicy,
) -> Result<RedirectHop, RedirectError> {
    let mut url = from
        .join(location)
        .map_err(|_| RedirectError::InvalidLocation)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(RedirectError::Scheme);
    }
    if from.scheme() == "https" && url.scheme() == "http" && !rules.downgrade {
        return Err(RedirectError::Downgrade);
    }
    // User and password in `Location` are ignored: a server must not choose the client's
    // credentials.
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    cleared.map_err(|()| RedirectError::InvalidLocation)?;
    if url.fragment().is_none() {
        url.set_fragment(from.fragment()); // RFC 9110, section 10.2.2
    }
    let becomes_get = match status {
        303 => !matches!(method, Method::Get | Method::Head),
        301 | 302 => *method == Method::Post,
        _ => false,
    };
    Ok(RedirectHop {
        cross_origin: !same_origin(from, &url),
        method: if becomes_get {
            Method::Get
        } else {
            method.clone()
        },
        send_body: send_body && !becomes_get,
        url,
    })
}

/// Whether scheme, host and port are equal (RFC 6454, section 5).
fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host_str() == b.host_str()
        && a.port_or_known_default() == b.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(status: u16, method: &str, location: &str) -> Result<RedirectHop, RedirectError> {
        let from = Url::parse("https://a.test/dir/page#part").unwrap();
        hop(
            status,
            location,
            &from,
            &method.parse().unwrap(),
            true,
            RedirectPolicy::default(),
        )
    }

    #[test]
    fn methods_change_by_rfc_9110() {
        let table = [
            (301, "GET", "GET", true),
            (301, "POST", "GET", false),
            (301, "PUT", "PUT", true),
            (301, "HEAD", "HEAD", true),
            (302, "GET", "GET", true),
            (302, "POST", "GET", false),
            (302, "DELETE", "DELETE", true),
            (303, "GET", "GET", true),
            (303, "HEAD", "HEAD", true),
            (303, "POST", "GET", false),
            (303, "PUT", "GET", false),
            (303, "TESTING303", "GET", false),
            (307, "POST", "POST", true),
            (307, "GET", "GET", true),
            (308, "POST", "POST", true),
            (308, "PUT", "PUT", true),
        ];
        for (status, method, expected, body) in table {
            let hop = follow(status, method, "/next").unwrap();
            assert_eq!(
                (hop.method.as_str(), hop.send_body),
                (expected, body),
                "{status} {method}"
            );
        }
    }

    #[test]
    fn only_another_origin_is_cross_origin() {
        let table = [
            ("/x", false),
            ("page2", false),
            ("//a.test:443/x", false),
            ("https://A.TEST/x", false),
            ("https://b.test/x", true),
            ("https://a.test:444/x", true),
            ("https://sub.a.test/", true),
        ];
        for (location, cross) in table {
            assert_eq!(
                follow(302, "GET", location).unwrap().cross_origin,
                cross,
                "{location}"
            );
        }
    }

    #[test]
    fn credentials_in_location_are_ignored_and_the_fragment_is_inherited() {
        let hop = follow(302, "GET", "https://user:secret@b.test/").unwrap();
        assert_eq!(hop.url.as_str(), "https://b.test/#part");
        assert_eq!(
            follow(302, "GET", "/x#own").unwrap().url.fragment(),
            Some("own")
        );
    }

    #[test]
    fn dangerous_targets_are_refused() {
        assert_eq!(
            follow(302, "GET", "http://a.test/"),
            Err(RedirectError::Downgrade)
        );
        assert_eq!(
            follow(302, "GET", "file:///etc/passwd"),
            Err(RedirectError::Scheme)
        );
        assert_eq!(
            follow(302, "GET", "https://"),
            Err(RedirectError::InvalidLocation)
        );
    }
}
