//! Proxies: what one is, and which one serves which URL.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::no_proxy::NoProxy;
use crate::settings::BuildError;

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

fn parse(text: &str) -> Result<Proxy, String> {
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

/// Which proxy serves which URL, as plain data. Default: none serves any.
///
/// ```
/// use fetch_driver::{Proxy, ProxyRules};
///
/// let rules = ProxyRules::new()
///     .all(Proxy::parse("http://proxy.test:3128")?)
///     .https(Proxy::parse("socks5h://socks.test")?)
///     .no_proxy("localhost, .internal.test, 10.0.0.0/8")?;
/// let proxy = |url: &str| Some(rules.choose(&url.parse().unwrap())?.to_string());
/// assert_eq!(proxy("http://a.test/").unwrap(), "http://proxy.test:3128");
/// assert_eq!(proxy("https://a.test/").unwrap(), "socks5h://socks.test:1080");
/// assert_eq!(proxy("http://db.internal.test/"), None);
/// # Ok::<(), fetch_driver::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProxyRules {
    http: Option<Proxy>,
    https: Option<Proxy>,
    no_proxy: NoProxy,
}

impl ProxyRules {
    /// No proxy.
    ///
    /// ```
    /// assert!(fetch_driver::ProxyRules::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the environment says, read as curl does.
    ///
    /// `http_proxy` serves http URLs (in lower case only: a CGI program's caller can set
    /// `HTTP_PROXY`), `https_proxy` or `HTTPS_PROXY` https URLs, `all_proxy` or `ALL_PROXY` what the
    /// others do not; `no_proxy` or `NO_PROXY` lists the exceptions. Empty variables count as unset,
    /// and lower case goes before upper case.
    ///
    /// ```
    /// let rules = fetch_driver::ProxyRules::from_env();
    /// ```
    ///
    /// # Errors
    ///
    /// If a variable cannot be understood; the error names it.
    pub fn from_env() -> Result<Self, BuildError> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// Like [`from_env`](Self::from_env), with variables from elsewhere.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use fetch_driver::ProxyRules;
    ///
    /// let vars = HashMap::from([("ALL_PROXY", "socks5h://socks.test"), ("HTTP_PROXY", "evil.test")]);
    /// let rules = ProxyRules::from_vars(|name| vars.get(name).map(|value| value.to_string()))?;
    /// let proxy = rules.choose(&"http://a.test/".parse().unwrap()).unwrap();
    /// assert_eq!(proxy.host(), "socks.test");
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a variable cannot be understood; the error names it.
    pub fn from_vars(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BuildError> {
        let first = |names: &[&'static str]| {
            let found = |name: &&'static str| {
                let value = variable(name).filter(|value| !value.is_empty())?;
                Some((*name, value))
            };
            names.iter().find_map(found)
        };
        let blame = |name: &str, why: String| BuildError::new("proxy", format!("{name}: {why}"));
        let proxy = |names: &[&'static str]| match first(names) {
            Some((name, value)) => {
                let proxy = parse(value.trim()).map_err(|why| blame(name, why))?;
                Ok(Some(proxy))
            }
            None => Ok(None),
        };
        let all = ["all_proxy", "ALL_PROXY"];
        let no_proxy = match first(&["no_proxy", "NO_PROXY"]) {
            Some((name, list)) => NoProxy::parse(&list).map_err(|why| blame(name, why))?,
            None => NoProxy::default(),
        };
        Ok(Self {
            http: proxy(&["http_proxy", all[0], all[1]])?,
            https: proxy(&["https_proxy", "HTTPS_PROXY", all[0], all[1]])?,
            no_proxy,
        })
    }

    /// Sets the proxy for all URLs.
    ///
    /// ```
    /// use fetch_driver::{Proxy, ProxyRules};
    /// let rules = ProxyRules::new().all(Proxy::parse("http://proxy.test:3128")?);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn all(self, proxy: Proxy) -> Self {
        self.http(proxy.clone()).https(proxy)
    }

    /// Sets the proxy for http URLs.
    ///
    /// ```
    /// use fetch_driver::{Proxy, ProxyRules};
    /// let rules = ProxyRules::new().http(Proxy::parse("http://proxy.test:3128")?);
    /// assert!(rules.choose(&"https://a.test/".parse().unwrap()).is_none());
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn http(mut self, proxy: Proxy) -> Self {
        self.http = Some(proxy);
        self
    }

    /// Sets the proxy for https URLs.
    ///
    /// ```
    /// use fetch_driver::{Proxy, ProxyRules};
    /// let rules = ProxyRules::new().https(Proxy::parse("http://proxy.test:3128")?);
    /// assert!(rules.choose(&"http://a.test/".parse().unwrap()).is_none());
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn https(mut self, proxy: Proxy) -> Self {
        self.https = Some(proxy);
        self
    }

    /// Sets which hosts are reached without a proxy, separated by commas or blanks.
    ///
    /// `*` means all; `a.test`, `.a.test` and `*.a.test` all mean that host and every host below
    /// it; `10.1.2.3`, `::1`, `10.0.0.0/8` and `fd00::/8` mean addresses as written in a URL: names
    /// are not looked up for this. Each can end in `:port` and then means that port only, IPv6
    /// addresses in brackets.
    ///
    /// ```
    /// let rules = fetch_driver::ProxyRules::new().no_proxy("localhost,127.0.0.0/8,[::1]:8080")?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a port or a network's length is none.
    pub fn no_proxy(mut self, list: &str) -> Result<Self, BuildError> {
        self.no_proxy = NoProxy::parse(list).map_err(|why| BuildError::new("no_proxy", why))?;
        Ok(self)
    }

    /// The proxy for `url`; `None` if it is to be reached directly.
    ///
    /// ```
    /// let rules = fetch_driver::ProxyRules::new();
    /// assert!(rules.choose(&"http://a.test/".parse().unwrap()).is_none());
    /// ```
    #[must_use]
    pub fn choose(&self, url: &Url) -> Option<&Proxy> {
        let proxy = match url.scheme() {
            "http" => &self.http,
            "https" => &self.https,
            _ => &None,
        };
        proxy.as_ref().filter(|_| !self.no_proxy.matches(url))
    }

    /// Whether no URL is served by a proxy.
    ///
    /// ```
    /// assert!(fetch_driver::ProxyRules::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn chosen(vars: &[(&str, &str)]) -> [Option<String>; 2] {
        let value = |name: &str| {
            let found = vars.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let rules = ProxyRules::from_vars(value).unwrap();
        ["http://a.test/", "https://a.test/"].map(|url| {
            let proxy = rules.choose(&url.parse().unwrap());
            proxy.map(|proxy| proxy.host().to_owned())
        })
    }

    #[test]
    fn the_environment_is_read_by_curls_rules() {
        let some = |host: &str| Some(host.to_owned());
        let table: [(&[(&str, &str)], _); 8] = [
            (&[], [None, None]),
            (&[("http_proxy", "p")], [some("p"), None]),
            (&[("HTTP_PROXY", "p")], [None, None]),
            (
                &[("HTTPS_PROXY", "p"), ("https_proxy", "q")],
                [None, some("q")],
            ),
            (&[("ALL_PROXY", "p")], [some("p"), some("p")]),
            (
                &[("all_proxy", "p"), ("HTTPS_PROXY", "q")],
                [some("p"), some("q")],
            ),
            (
                &[("http_proxy", ""), ("all_proxy", "p")],
                [some("p"), some("p")],
            ),
            (&[("all_proxy", "p"), ("NO_PROXY", "a.test")], [None, None]),
        ];
        for (vars, expected) in table {
            assert_eq!(chosen(vars), expected, "{vars:?}");
        }
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let vars = |name: &str| (name == "ALL_PROXY").then(|| "ftp://u:hush@p".to_owned());
        let error = ProxyRules::from_vars(vars).unwrap_err().to_string();
        assert!(
            error.contains("ALL_PROXY") && !error.contains("hush"),
            "{error}"
        );
    }
}
