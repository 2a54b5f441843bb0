//! A proxy and its URL.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::settings::build_error::BuildError;

/// The port of a proxy whose URL has none, as in curl.
const DEFAULT_PORT: u16 = 1080;

/// The longest user name for SOCKS4, in bytes: together with a host name it fits into 512.
const MAX_SOCKS4_USER: usize = 240;

/// A proxy: its protocol, host, port and credentials.
///
/// Neither `Display` nor `Debug` shows the user name or the password.
///
/// ```
/// use fetch_driver::Proxy;
///
/// let proxy = Proxy::parse("http://user:secret@proxy.test:3128")?;
/// assert_eq!(proxy.to_string(), "http://proxy.test:3128");
/// # Ok::<(), fetch_driver::BuildError>(())
/// ```
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Proxy {
    credentials: Option<(String, String)>,
    host: String,
    kind: ProxyKind,
    port: u16,
}

/// The protocol that a proxy speaks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ProxyKind {
    /// `http://`: requests for http URLs are sent to the proxy; https goes through a CONNECT tunnel.
    Http,
    /// `socks4://`: SOCKS4, which has IPv4 addresses only; host names are resolved locally.
    Socks4,
    /// `socks4a://`: SOCKS4a; host names are resolved by the proxy.
    Socks4a,
    /// `socks5://`: SOCKS5 (RFC 1928); host names are resolved locally.
    Socks5,
    /// `socks5h://`: SOCKS5; host names are resolved by the proxy.
    Socks5h,
}

impl ProxyKind {
    /// The URL scheme of this protocol.
    ///
    /// ```
    /// assert_eq!(fetch_driver::ProxyKind::Socks5h.as_str(), "socks5h");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Socks4 => "socks4",
            Self::Socks4a => "socks4a",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    /// Whether the proxy resolves host names, so that they are not looked up here.
    ///
    /// ```
    /// use fetch_driver::ProxyKind;
    /// assert!(ProxyKind::Socks4a.resolves_names() && !ProxyKind::Socks4.resolves_names());
    /// ```
    #[must_use]
    pub fn resolves_names(self) -> bool {
        matches!(self, Self::Http | Self::Socks4a | Self::Socks5h)
    }

    fn parse(scheme: &str) -> Result<Self, &'static str> {
        match scheme.to_ascii_lowercase().as_str() {
            "http" => Ok(Self::Http),
            "socks4" => Ok(Self::Socks4),
            "socks4a" => Ok(Self::Socks4a),
            "socks5" => Ok(Self::Socks5),
            "socks5h" => Ok(Self::Socks5h),
            _ => Err(
                "write http://, socks4://, socks4a://, socks5:// or socks5h://, the kinds of proxies that are \
                      supported",
            ),
        }
    }
}

impl Proxy {
    /// Parses `http://`, `socks4://`, `socks4a://`, `socks5://` or `socks5h://`, then `user:password@` if
    /// the proxy requires them (for SOCKS4 `user@`), then `host:port`.
    ///
    /// The default scheme is http and the default port 1080, as in curl. In the user name and the
    /// password, characters with a meaning in URLs must be percent-encoded.
    ///
    /// ```
    /// use fetch_driver::{Proxy, ProxyKind};
    ///
    /// let proxy = Proxy::parse("socks5h://me:p%40ss@[::1]")?;
    /// assert_eq!((proxy.kind(), proxy.host(), proxy.port()), (ProxyKind::Socks5h, "[::1]", 1080));
    /// assert_eq!(proxy.credentials(), Some(("me", "p@ss")));
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is not such a URL. The error does not show the text, which may contain a password.
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        parse(text.trim()).map_err(|reason| BuildError::new("proxy", reason))
    }

    /// The user name and the password, if there are any. The password may be empty.
    ///
    /// ```
    /// assert_eq!(fetch_driver::Proxy::parse("proxy.test:8080")?.credentials(), None);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn credentials(&self) -> Option<(&str, &str)> {
        let (user, password) = self.credentials.as_ref()?;
        Some((user, password))
    }

    /// The host as in a URL: in lower case, IPv6 addresses in brackets.
    ///
    /// ```
    /// assert_eq!(fetch_driver::Proxy::parse("Proxy.Test:8080")?.host(), "proxy.test");
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The protocol.
    ///
    /// ```
    /// use fetch_driver::{Proxy, ProxyKind};
    /// assert_eq!(Proxy::parse("proxy.test:8080")?.kind(), ProxyKind::Http);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn kind(&self) -> ProxyKind {
        self.kind
    }

    /// The port.
    ///
    /// ```
    /// assert_eq!(fetch_driver::Proxy::parse("http://proxy.test:80")?.port(), 80);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Like [`Proxy::parse`], with the bare reason as the error.
pub(crate) fn parse(text: &str) -> Result<Proxy, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let kind = ProxyKind::parse(scheme)?;
    // `url` drops the default port of a scheme that it knows, so parse with an unknown scheme.
    let url = Url::parse(&format!("proxy://{rest}")).map_err(|error| error.to_string())?;
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err("the proxy's URL must end after the port".into());
    }
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = Host::parse(host.ok_or("there is no host")?).map_err(|error| error.to_string())?;
    Ok(Proxy {
        credentials: credentials(&url, kind)?,
        host: host.to_string(),
        kind,
        port: url.port().unwrap_or(DEFAULT_PORT),
    })
}

fn credentials(url: &Url, kind: ProxyKind) -> Result<Option<(String, String)>, String> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text| match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err("user name and password must be UTF-8"),
    };
    let user = decode(url.username())?;
    let password = decode(url.password().unwrap_or_default())?;
    let lengths = 1..=255;
    let wrong = match kind {
        ProxyKind::Http if user.contains(':') => {
            "the user name for an HTTP proxy must not contain `:`"
        }
        ProxyKind::Socks4 | ProxyKind::Socks4a if !password.is_empty() => {
            "SOCKS4 has no password: write user@ alone, or a socks5:// proxy"
        }
        ProxyKind::Socks4 | ProxyKind::Socks4a
            if !(1..=MAX_SOCKS4_USER).contains(&user.len()) || user.contains('\0') =>
        {
            "SOCKS4 requires a user name of 1 to 240 bytes without zeros"
        }
        ProxyKind::Socks5 | ProxyKind::Socks5h
            if !(lengths.contains(&user.len()) && lengths.contains(&password.len())) =>
        {
            "SOCKS5 requires a user name and a password of 1 to 255 bytes each"
        }
        _ => return Ok(Some((user, password))),
    };
    Err(wrong.into())
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.kind.as_str(), self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = if self.credentials.is_some() {
            " with a user name"
        } else {
            ""
        };
        write!(f, "Proxy({self}{with})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::proxy_rules::ProxyRules;

    #[test]
    fn proxies_are_parsed_like_curl_does() {
        let table = [
            ("proxy.test", "http://proxy.test:1080"),
            ("proxy.test:80", "http://proxy.test:80"),
            ("http://Proxy.Test:3128/", "http://proxy.test:3128"),
            ("HTTP://u:p@proxy.test:80", "http://proxy.test:80"),
            ("socks5://127.0.0.1", "socks5://127.0.0.1:1080"),
            ("socks5h://u:p@[::1]:9050", "socks5h://[::1]:9050"),
            ("SOCKS4://u@127.0.0.1:9", "socks4://127.0.0.1:9"),
            ("socks4a://u:@a.test", "socks4a://a.test:1080"),
            ("http://bücher.test:1", "http://xn--bcher-kva.test:1"),
        ];
        for (text, shown) in table {
            assert_eq!(Proxy::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn an_invalid_proxy_is_rejected_without_showing_its_password() {
        let long = format!("socks5://{}:hush@a", "u".repeat(256));
        let table = [
            ("", "host"),
            ("https://u:hush@proxy.test", "write http://"),
            ("socks4://u:hush@proxy.test", "no password"),
            ("socks4a://u%00@proxy.test", "without zeros"),
            ("http://u:hush@proxy.test:99999", "port"),
            ("http://u:hush@proxy.test/path", "end after the port"),
            ("http://u%3A:hush@proxy.test", "not contain `:`"),
            ("http://%ff:hush@proxy.test", "UTF-8"),
            ("socks5://hush@proxy.test", "1 to 255"),
            (&long, "1 to 255"),
        ];
        for (text, why) in table {
            let error = Proxy::parse(text).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let proxy = Proxy::parse("http://user:hush@proxy.test:1").unwrap();
        let shown = format!("{proxy} {:?}", ProxyRules::new().all(proxy.clone()));
        assert!(
            !shown.contains("hush") && !shown.contains("user:"),
            "{shown}"
        );
    }
}
