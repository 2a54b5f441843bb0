//! What a proxy is, and how its URL is read.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::settings::build_error::BuildError;

/// The port of a proxy whose URL names none, as curl has it.
const DEFAULT_PORT: u16 = 1080;

/// A proxy: its kind, where it is, and the user name and password for it.
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
    /// `http://`: http URLs are asked of it whole, https goes through a tunnel that CONNECT opens.
    Http,
    /// `socks5://`: SOCKS5 (RFC 1928), to addresses that this machine looks up.
    Socks5,
    /// `socks5h://`: SOCKS5, to names that the proxy looks up.
    Socks5h,
}

impl ProxyKind {
    /// The scheme that stands for it in a URL.
    ///
    /// ```
    /// assert_eq!(fetch_driver::ProxyKind::Socks5h.as_str(), "socks5h");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    fn parse(scheme: &str) -> Result<Self, &'static str> {
        match scheme.to_ascii_lowercase().as_str() {
            "http" => Ok(Self::Http),
            "socks5" => Ok(Self::Socks5),
            "socks5h" => Ok(Self::Socks5h),
            _ => Err("only http://, socks5:// and socks5h:// proxies can be used"),
        }
    }
}

impl Proxy {
    /// Reads `http://`, `socks5://` or `socks5h://`, then `host:port`, with `user:password@` before
    /// it if the proxy asks for them.
    ///
    /// Without a scheme it is an HTTP proxy; without a port, 1080: both as in curl. Characters that
    /// mean something in a URL are written percent-encoded in user name and password.
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
    /// If the text is no such URL. The error does not repeat the text, as it may hold a password.
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        parse(text.trim()).map_err(|why| BuildError::new("proxy", why))
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

    /// The protocol it speaks.
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

/// [`Proxy::parse`], with the reason alone for an error.
pub(crate) fn parse(text: &str) -> Result<Proxy, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let kind = ProxyKind::parse(scheme)?;
    // Under a scheme that `url` does not know, a port that is some scheme's default is kept.
    let url = Url::parse(&format!("proxy://{rest}")).map_err(|error| error.to_string())?;
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err("a proxy's URL ends after the port".into());
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
    if kind == ProxyKind::Http && user.contains(':') {
        Err("a user name for an HTTP proxy has no `:`".into())
    } else if kind != ProxyKind::Http
        && !(lengths.contains(&user.len()) && lengths.contains(&password.len()))
    {
        Err("SOCKS5 takes a user name and a password of 1 to 255 bytes each".into())
    } else {
        Ok(Some((user, password)))
    }
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
    fn proxies_are_read_as_curl_reads_them() {
        let table = [
            ("proxy.test", "http://proxy.test:1080"),
            ("proxy.test:80", "http://proxy.test:80"),
            ("http://Proxy.Test:3128/", "http://proxy.test:3128"),
            ("HTTP://u:p@proxy.test:80", "http://proxy.test:80"),
            ("socks5://127.0.0.1", "socks5://127.0.0.1:1080"),
            ("socks5h://u:p@[::1]:9050", "socks5h://[::1]:9050"),
            ("http://bücher.test:1", "http://xn--bcher-kva.test:1"),
        ];
        for (text, shown) in table {
            assert_eq!(Proxy::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_password() {
        let long = format!("socks5://{}:hush@a", "u".repeat(256));
        let table = [
            ("", "host"),
            ("https://u:hush@proxy.test", "only http://"),
            ("socks4://u:hush@proxy.test", "only http://"),
            ("http://u:hush@proxy.test:99999", "port"),
            ("http://u:hush@proxy.test/path", "ends after the port"),
            ("http://u%3A:hush@proxy.test", "no `:`"),
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
