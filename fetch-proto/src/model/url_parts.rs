//! Parts of URLs that several crates use.

use alloc::borrow::Cow;
use alloc::format;

use url::{Position, Url};

/// Names of query parameters whose values are secret, in lower case and in order: OpenTelemetry's
/// list for `url.full`, and common names of tokens, keys and passwords.
pub const SECRET_PARAMETERS: [&str; 24] = [
    "access_token",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "awsaccesskeyid",
    "client_secret",
    "code",
    "id_token",
    "key",
    "passwd",
    "password",
    "pwd",
    "refresh_token",
    "secret",
    "session",
    "sig",
    "signature",
    "token",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-goog-credential",
    "x-goog-signature",
];

/// Whether the query parameter `name` has a secret value, such as a token or a signature. Case is
/// ignored.
///
/// ```
/// use fetch_proto::is_secret_parameter;
/// assert!(is_secret_parameter("Api_Key") && !is_secret_parameter("monkey"));
/// ```
#[must_use]
pub fn is_secret_parameter(name: &str) -> bool {
    let mut secrets = SECRET_PARAMETERS.iter();
    secrets.any(|secret| secret.eq_ignore_ascii_case(name))
}

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

    #[test]
    fn the_names_of_secret_parameters_are_in_order_and_in_lower_case() {
        assert!(SECRET_PARAMETERS.is_sorted());
        let lower = |name: &&str| name.chars().all(|c| !c.is_ascii_uppercase());
        assert!(SECRET_PARAMETERS.iter().all(lower));
    }
}
