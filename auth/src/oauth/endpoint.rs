//! The URL of a token server, and how it is asked.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use fetch_driver::{Adapter, Builder, Fetcher, Settings};
use fetch_proto::{AuthChoice, Policy, RedirectPolicy, Timeouts};
use url::{Host, Url};

/// A longer answer is refused.
const MAX_ANSWER: u64 = 64 << 10;

/// How long a token request may take, connection and answer included.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// The URL of a token server cannot be used.
///
/// ```
/// use fetch_auth::OAuthCredential;
/// let error = OAuthCredential::client_credentials("http://id.example/token".parse()?).unwrap_err();
/// assert!(error.to_string().contains("needs https"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct InvalidTokenUrl {
    why: &'static str,
}

impl fmt::Display for InvalidTokenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)
    }
}

impl Error for InvalidTokenUrl {}

/// Checks that secrets may be sent to this URL.
///
/// # Errors
///
/// If they would be sent in the clear over a network, or if the URL contains a secret or a fragment.
pub(super) fn check_url(url: &Url) -> Result<(), InvalidTokenUrl> {
    let why = if !url.username().is_empty() || url.password().is_some() {
        "the URL of a token server has no user name and no password: write client_id and client_secret"
    } else if url.fragment().is_some() {
        "the URL of a token server has no fragment"
    } else if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)) {
        return Ok(());
    } else {
        "a token server needs https, because secrets are sent to it; http is for loopback only"
    };
    Err(InvalidTokenUrl { why })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A fetcher for token requests alone. Of the settings of other requests it has those of the network and
/// of TLS, and neither header fields, cookies, logins, a cache nor limits.
pub(super) fn build_fetcher<A: Adapter + Default>(
    settings: &Settings,
    url: &Url,
) -> Result<Fetcher<A>, fetch_driver::BuildError> {
    let mut own = Settings::default();
    own.http2 = settings.http2;
    own.tls = settings.tls.clone();
    if let Some(agent) = settings.headers.get(http::header::USER_AGENT) {
        own.headers.insert(http::header::USER_AGENT, agent.clone());
    }
    // Without TLS, no proxy may see the secrets.
    if url.scheme() == "https" {
        own.route = settings.route.clone();
        own.route.private_addresses = true;
        own.route.unix_socket = None;
    }
    Builder::new(A::default())
        .settings(|settings| *settings = own)
        .build()
}

/// One attempt, because the grant decides when the server is asked again.
pub(super) fn policy() -> Policy {
    let limits = Timeouts::default()
        .attempt(REQUEST_LIMIT)
        .total(REQUEST_LIMIT);
    Policy::default()
        .attempts(1)
        .auth(AuthChoice::Off)
        .max_body(MAX_ANSWER)
        .redirects(RedirectPolicy::default().follow(false))
        .timeouts(limits)
}

/// The URL as it is shown: without its query, which may have secrets.
pub(super) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_sent_in_the_clear_to_loopback_only() {
        for (url, is_usable) in [
            ("https://id.test/token?tenant=1", true),
            ("http://127.0.0.1:8080/token", true),
            ("http://[::1]/token", true),
            ("http://localhost/token", true),
            ("http://id.test/token", false),
            ("http://localhost.evil.test/token", false),
            ("http://10.0.0.1/token", false),
            ("https://me:pw@id.test/token", false),
            ("https://id.test/token#a", false),
            ("ftp://127.0.0.1/token", false),
        ] {
            assert_eq!(check_url(&url.parse().unwrap()).is_ok(), is_usable, "{url}");
        }
    }
}
