//! Which proxy serves which URL.

use url::Url;

use crate::settings::build_error::BuildError;
use crate::settings::no_proxy::NoProxyList;
use crate::settings::proxy::{Proxy, parse};

/// Which proxy serves which URL. Default: all URLs are reached directly.
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
    no_proxy: NoProxyList,
}

impl ProxyRules {
    /// Calls `add` with the user name and the password of each proxy.
    #[cfg(feature = "cache")]
    pub(crate) fn add_identity(&self, add: &mut dyn FnMut(&[u8])) {
        for proxy in [&self.http, &self.https].into_iter().flatten() {
            if let Some((user, password)) = proxy.credentials() {
                add(user.as_bytes());
                add(password.as_bytes());
            }
        }
    }

    /// No proxy.
    ///
    /// ```
    /// assert!(fetch_driver::ProxyRules::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The proxies of the environment, read like curl does.
    ///
    /// `http_proxy` serves http URLs (in lower case only, because a CGI program's caller can set
    /// `HTTP_PROXY`), `https_proxy` or `HTTPS_PROXY` https URLs, and `all_proxy` or `ALL_PROXY` both if
    /// those are not set. `no_proxy` or `NO_PROXY` lists the exceptions. Empty variables count as unset,
    /// and lower case takes precedence over upper case.
    ///
    /// ```
    /// let rules = fetch_driver::ProxyRules::from_env();
    /// ```
    ///
    /// # Errors
    ///
    /// If a variable cannot be parsed. The error names it.
    pub fn from_env() -> Result<Self, BuildError> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// Like [`from_env`](Self::from_env), with variables from a function.
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
    /// If a variable cannot be parsed. The error names it.
    pub fn from_vars(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BuildError> {
        let first = |names: &[&'static str]| {
            let found = |name: &&'static str| {
                let value = variable(name).filter(|value| !value.is_empty())?;
                Some((*name, value))
            };
            names.iter().find_map(found)
        };
        let invalid =
            |name: &str, reason: String| BuildError::new("proxy", format!("{name}: {reason}"));
        let proxy = |names: &[&'static str]| match first(names) {
            Some((name, value)) => {
                let proxy = parse(value.trim()).map_err(|reason| invalid(name, reason))?;
                Ok(Some(proxy))
            }
            None => Ok(None),
        };
        let all = ["all_proxy", "ALL_PROXY"];
        let no_proxy = match first(&["no_proxy", "NO_PROXY"]) {
            Some((name, list)) => {
                NoProxyList::parse(&list).map_err(|reason| invalid(name, reason))?
            }
            None => NoProxyList::default(),
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

    /// Sets which hosts are reached without a proxy, separated by commas or whitespace.
    ///
    /// `*` means all; `a.test`, `.a.test` and `*.a.test` all mean that host and every host below
    /// it. `10.1.2.3`, `::1`, `10.0.0.0/8` and `fd00::/8` mean addresses as written in a URL; names are
    /// not resolved for this. Each can end in `:port`, with IPv6 addresses in brackets, and then means
    /// that port only.
    ///
    /// ```
    /// let rules = fetch_driver::ProxyRules::new().no_proxy("localhost,127.0.0.0/8,[::1]:8080")?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a port or the length of a network's prefix is not valid.
    pub fn no_proxy(mut self, list: &str) -> Result<Self, BuildError> {
        self.no_proxy =
            NoProxyList::parse(list).map_err(|reason| BuildError::new("no_proxy", reason))?;
        Ok(self)
    }

    /// The proxy for `url`; `None` if it is reached directly.
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

    /// Whether all URLs are reached directly.
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
    fn the_environment_is_read_like_curl_does() {
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
    fn an_invalid_variable_is_named() {
        let vars = |name: &str| (name == "ALL_PROXY").then(|| "ftp://u:hush@p".to_owned());
        let error = ProxyRules::from_vars(vars).unwrap_err().to_string();
        assert!(
            error.contains("ALL_PROXY") && !error.contains("hush"),
            "{error}"
        );
    }
}
