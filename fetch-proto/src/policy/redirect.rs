//! Redirects by RFC 9110, section 15.4.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::Write as _;

use url::Url;

use crate::model::credentials::UrlCredentials;
use crate::model::failure::RedirectError;
use crate::model::method::Method;

/// Whether and how redirects are followed.
///
/// ```
/// use fetch_proto::RedirectPolicy;
///
/// assert_eq!(RedirectPolicy::default(), RedirectPolicy::limit(10));
/// assert_ne!(RedirectPolicy::NONE, RedirectPolicy::limit(0));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RedirectPolicy {
    pub(crate) max: u16,
    pub(crate) downgrade: bool,
    pub(crate) follow: bool,
    pub(crate) https_only: bool,
    /// Whether a POST stays one after 301, 302 and 303.
    pub(crate) keep_post: [bool; 3],
    pub(crate) trusted: bool,
}

impl RedirectPolicy {
    /// Redirects are not followed. The 3xx response is the result.
    pub const NONE: Self = Self::limit(0).follow(false);

    /// At most `max` redirects are followed; one more is an error. Default 10.
    ///
    /// ```
    /// let redirects = fetch_proto::RedirectPolicy::limit(3);
    /// ```
    #[must_use]
    pub const fn limit(max: u16) -> Self {
        Self {
            max,
            downgrade: false,
            follow: true,
            https_only: false,
            keep_post: [false; 3],
            trusted: false,
        }
    }

    /// Sets whether redirects are followed. If not, the 3xx response is the result. Default yes.
    ///
    /// ```
    /// let kept = fetch_proto::RedirectPolicy::default().follow(false);
    /// ```
    #[must_use]
    pub const fn follow(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
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

    /// Sets whether redirects may lead to https only, also from http. Default no.
    ///
    /// ```
    /// let redirects = fetch_proto::RedirectPolicy::default().https_only(true);
    /// ```
    #[must_use]
    pub const fn https_only(mut self, https_only: bool) -> Self {
        self.https_only = https_only;
        self
    }

    /// Keeps a POST a POST, with its body, after redirects with this status: 301, 302 or 303, as with
    /// curl's `--post301` and so on. Default: it becomes a GET. Other statuses are ignored: 307 and 308
    /// keep every method.
    ///
    /// ```
    /// let redirects = fetch_proto::RedirectPolicy::default().keep_post(301);
    /// ```
    #[must_use]
    pub const fn keep_post(mut self, status: u16) -> Self {
        if let 301..=303 = status {
            self.keep_post[(status - 301) as usize] = true;
        }
        self
    }

    /// Whether a request with this method becomes a GET.
    fn becomes_get(self, status: u16, method: &Method) -> bool {
        let is_post = *method == Method::Post;
        let keeps = |at: usize| is_post && self.keep_post[at];
        match status {
            301 => is_post && !keeps(0),
            302 => is_post && !keeps(1),
            303 => !matches!(method, Method::Get | Method::Head) && !keeps(2),
            _ => false,
        }
    }

    /// Sets whether all fields of the request are sent to every origin that a redirect leads to, as with
    /// curl's `--location-trusted`: also `Authorization`, `Cookie` and the caller's own fields.
    /// Default no: another origin gets only the fields of [`is_sent_to_other_origins`].
    ///
    /// ```
    /// let redirects = fetch_proto::RedirectPolicy::default().trusted(true);
    /// ```
    #[must_use]
    pub const fn trusted(mut self, trusted: bool) -> Self {
        self.trusted = trusted;
        self
    }
}

impl Default for RedirectPolicy {
    fn default() -> Self {
        Self::limit(10)
    }
}

/// The fields that a redirect takes to another origin. They are defined by HTTP to describe the wanted
/// response or the sent body, so they carry no secrets.
const HARMLESS_FIELDS: [&str; 19] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-type",
    "expect",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
    "referer",
    "user-agent",
];

/// Whether a field of the caller's request, with this name in lower case, is also sent to another
/// origin. Any other field may carry a secret, such as `X-Api-Key`, and goes only to the origin that
/// it was given for, unless [`RedirectPolicy::trusted`] is set. So does a field whose value
/// [has a secret](crate::has_secret), such as a `Referer` with a token.
///
/// ```
/// use fetch_proto::is_sent_to_other_origins;
///
/// assert!(is_sent_to_other_origins("accept-language"));
/// assert!(!is_sent_to_other_origins("x-api-key"));
/// ```
#[must_use]
pub fn is_sent_to_other_origins(field: &str) -> bool {
    HARMLESS_FIELDS.contains(&field)
}

/// The request that follows a redirect.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct RedirectHop {
    /// User name and password of the `Location`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) credentials: Option<UrlCredentials>,
    /// Whether the origin changes.
    pub(crate) cross_origin: bool,
    pub(crate) method: Method,
    pub(crate) send_body: bool,
    pub(crate) url: Url,
}

/// Whether a response redirects to its `Location`. 300 and 304 do not, and neither does an empty
/// `Location`.
pub(crate) fn is_redirect(status: u16, location: &str) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308) && !location.is_empty()
}

/// The text of a `Location` field. Bytes that are not ASCII are percent-encoded as they are, as curl
/// and browsers do, so that the server gets back its own bytes.
///
/// ```
/// assert_eq!(&*fetch_proto::location_text(b" /caf\xe9 "), "/caf%E9");
/// ```
#[must_use]
pub fn location_text(value: &[u8]) -> Box<str> {
    let mut text = String::with_capacity(value.len());
    for &byte in value.trim_ascii() {
        match byte.is_ascii() {
            true => text.push(char::from(byte)),
            // Writing to a String cannot fail.
            false => drop(write!(text, "%{byte:02X}")),
        }
    }
    text.into_boxed_str()
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
    if url.scheme() == "http" && rules.https_only {
        return Err(RedirectError::HttpsOnly);
    }
    let credentials = UrlCredentials::take(&mut url);
    if url.fragment().is_none() {
        url.set_fragment(from.fragment()); // RFC 9110, section 10.2.2
    }
    let becomes_get = rules.becomes_get(status, method);
    Ok(RedirectHop {
        credentials,
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
    fn a_post_stays_one_where_that_is_asked_for() {
        for kept in [301, 302, 303] {
            let rules = RedirectPolicy::default().keep_post(kept);
            for status in [301, 302, 303] {
                assert_eq!(rules.becomes_get(status, &Method::Post), status != kept);
            }
            assert!(rules.becomes_get(303, &Method::Put));
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
    fn credentials_of_a_location_are_taken_out_of_the_url() {
        let hop = follow(302, "GET", "https://us%40er:secret@b.test/").unwrap();
        assert_eq!(hop.url.as_str(), "https://b.test/#part");
        let taken = hop.credentials.unwrap();
        assert_eq!((taken.user(), taken.password()), ("us%40er", "secret"));
        assert!(!alloc::format!("{taken:?}").contains("secret"));
        for location in ["https://b.test/", "https://@b.test/", "/x"] {
            assert_eq!(follow(302, "GET", location).unwrap().credentials, None);
        }
    }

    #[test]
    fn a_location_keeps_its_bytes() {
        let table: [(&[u8], &str); 5] = [
            (b"/caf\xe9", "https://a.test/caf%E9"),
            (
                "/caf\u{e9}?\u{fc}".as_bytes(),
                "https://a.test/caf%C3%A9?%C3%BC",
            ),
            (b"/a b%20c", "https://a.test/a%20b%20c"),
            (
                "https://b\u{fc}cher.test/".as_bytes(),
                "https://xn--bcher-kva.test/",
            ),
            (b"/\xff?\x80#\xfe", "https://a.test/%FF?%80#%FE"),
        ];
        for (bytes, expected) in table {
            let hop = follow(302, "GET", &location_text(bytes)).unwrap();
            let expected = Url::parse(expected).unwrap();
            assert_eq!(
                hop.url[..url::Position::AfterQuery],
                expected[..url::Position::AfterQuery]
            );
        }
    }

    #[test]
    fn an_empty_location_is_no_redirect() {
        for (status, location, expected) in [
            (302, "/x", true),
            (302, &*location_text(b"  "), false),
            (300, "/x", false),
            (304, "/x", false),
        ] {
            assert_eq!(
                is_redirect(status, location),
                expected,
                "{status} {location:?}"
            );
        }
    }

    #[test]
    fn redirects_may_be_limited_to_https() {
        let rules = RedirectPolicy::default()
            .allow_downgrade(true)
            .https_only(true);
        for from in ["http://a.test/", "https://a.test/"] {
            let from = Url::parse(from).unwrap();
            let to = |location| hop(302, location, &from, &Method::Get, false, rules);
            assert_eq!(to("http://b.test/"), Err(RedirectError::HttpsOnly));
            assert_eq!(to("https://b.test/").unwrap().url.scheme(), "https");
        }
    }

    #[test]
    fn the_fragment_is_inherited() {
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
