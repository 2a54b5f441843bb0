//! The URL of a token server.

use core::error::Error;
use core::fmt;
use core::str::FromStr;

use url::{Host, Url};

/// The URL of a token server, to which secrets may be sent: by https, or by http to this machine.
///
/// ```
/// use fetch_proto::TokenUrl;
///
/// let url: TokenUrl = "https://id.example/token?tenant=1".parse()?;
/// assert_eq!(url.to_string(), "https://id.example/token");
/// assert!("http://id.example/token".parse::<TokenUrl>().is_err());
/// # Ok::<(), fetch_proto::InvalidTokenUrl>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct TokenUrl(Url);

impl TokenUrl {
    /// The URL, with its query.
    ///
    /// ```
    /// let url: fetch_proto::TokenUrl = "https://id.example/token?tenant=1".parse()?;
    /// assert_eq!(url.as_url().query(), Some("tenant=1"));
    /// # Ok::<(), fetch_proto::InvalidTokenUrl>(())
    /// ```
    #[must_use]
    pub const fn as_url(&self) -> &Url {
        &self.0
    }
}

impl TryFrom<Url> for TokenUrl {
    type Error = InvalidTokenUrl;

    fn try_from(url: Url) -> Result<Self, InvalidTokenUrl> {
        if !url.username().is_empty() || url.password().is_some() {
            Err(InvalidTokenUrl::Login)
        } else if url.fragment().is_some() {
            Err(InvalidTokenUrl::Fragment)
        } else if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) {
            Ok(Self(url))
        } else {
            Err(InvalidTokenUrl::Insecure)
        }
    }
}

impl FromStr for TokenUrl {
    type Err = InvalidTokenUrl;

    fn from_str(text: &str) -> Result<Self, InvalidTokenUrl> {
        let url: Url = text.parse().map_err(InvalidTokenUrl::NoUrl)?;
        url.try_into()
    }
}

/// Without its query, which may have secrets.
impl fmt::Display for TokenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for TokenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenUrl({self})")
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The URL of a token server cannot be used. Displays why, and what to write instead.
///
/// ```
/// use fetch_proto::TokenUrl;
/// let error = "http://id.example/token".parse::<TokenUrl>().unwrap_err();
/// assert!(error.to_string().contains("write https"));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidTokenUrl {
    /// It has a fragment, which is never sent.
    Fragment,
    /// Secrets would be sent in the clear over a network.
    Insecure,
    /// It contains a user name or a password.
    Login,
    /// It cannot be parsed.
    NoUrl(url::ParseError),
}

impl fmt::Display for InvalidTokenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fragment => f.write_str("the URL of a token server has no fragment"),
            Self::Insecure => {
                f.write_str("secrets are sent to a token server: write https (http is for loopback only)")
            }
            Self::Login => f.write_str(
                "the URL of a token server has no user name and no password: write client_id and client_secret",
            ),
            Self::NoUrl(error) => write!(f, "not a URL: {error}"),
        }
    }
}

impl Error for InvalidTokenUrl {}

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
            ("id.test", false),
        ] {
            assert_eq!(url.parse::<TokenUrl>().is_ok(), is_usable, "{url}");
        }
    }
}
