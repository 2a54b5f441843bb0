//! The builder's settings for the way to a server: proxies, Unix sockets, cookies on the way.

use std::path::PathBuf;

use crate::client::builder::Builder;
use crate::fields::cookie_jar::CookieJar;
use crate::settings::adapter::Adapter;
use crate::settings::build_error::BuildError;
use crate::settings::proxy::Proxy;
use crate::settings::proxy_rules::ProxyRules;

impl<A: Adapter> Builder<A> {
    /// Connects to another host or port than the URL names: see [`ConnectTo`](crate::ConnectTo). Of
    /// several that apply, the first counts.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// # let port = site.address().port();
    /// let fetcher = fetch_smol::Fetcher::builder()
    ///     .connect_to(&format!("www.a.test:80:127.0.0.1:{port}"))
    ///     .build()?;
    /// let response = smol::block_on(fetcher.get("http://www.a.test/get"))?;
    /// assert_eq!(response.status, 200);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect_to(self, rule: &str) -> Self {
        let parsed = rule.parse();
        self.with(parsed, |settings, rule| settings.connect_to.push(rule))
    }

    /// Sets whether cookies that servers set are kept and sent back, as browsers do (RFC 6265).
    /// Default no.
    ///
    /// All fetches share the jar. It lives as long as the fetcher, and holds at most 50 cookies for
    /// each domain and 3,000 in all; the oldest make room for new ones.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().cookies(true);
    /// ```
    pub fn cookies(self, keep: bool) -> Self {
        self.settings(|settings| settings.cookies = keep)
    }

    /// Keeps cookies in this jar, which can be filled before and written to a file afterwards.
    ///
    /// ```
    /// let jar = fetch_driver::CookieJar::new();
    /// let builder = fetch_smol::Fetcher::builder().cookie_jar(jar.clone());
    /// ```
    pub fn cookie_jar(self, jar: CookieJar) -> Self {
        self.settings(|settings| {
            settings.cookies = true;
            settings.cookie_jar = Some(jar);
        })
    }

    /// Sets which hosts are reached without a proxy, as `NO_PROXY` does: see
    /// [`ProxyRules::no_proxy`].
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder()
    ///     .proxy("http://proxy.test:3128")
    ///     .no_proxy("localhost,10.0.0.0/8,.internal.test");
    /// ```
    pub fn no_proxy(self, list: &str) -> Self {
        let rules = self.settings.proxy.clone().no_proxy(list);
        self.with(rules, |settings, rules| settings.proxy = rules)
    }

    /// Sends all requests through this proxy: `http://`, `socks5://` or `socks5h://`, then
    /// `user:password@` if need be, then `host:port`. See [`Proxy::parse`], and [`ProxyRules`] for
    /// different proxies for http and https.
    ///
    /// The environment's proxies are not used unless [`proxy_from_env`](Self::proxy_from_env) is
    /// called.
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().proxy("socks5h://127.0.0.1:9050").build()?;
    /// assert!(fetch_smol::Fetcher::builder().proxy("ftp://proxy.test").build().is_err());
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn proxy(self, url: &str) -> Self {
        self.with(Proxy::parse(url), |settings, proxy| {
            settings.proxy = std::mem::take(&mut settings.proxy).all(proxy);
        })
    }

    /// Uses the proxies, and the exceptions, that the environment names: see
    /// [`ProxyRules::from_env`]. What was set before is replaced.
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().proxy_from_env().build()?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn proxy_from_env(self) -> Self {
        self.with(ProxyRules::from_env(), |settings, rules| {
            settings.proxy = rules;
        })
    }

    /// Sends all requests to the server that listens on this Unix socket. The `Host` field, and the
    /// name a certificate must be good for, still come from the URL. Not together with a proxy.
    ///
    /// ```no_run
    /// let fetcher = fetch_smol::Fetcher::builder().unix_socket("/run/docker.sock").build()?;
    /// let images = smol::block_on(fetcher.get("http://docker/images/json"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unix_socket(self, path: impl Into<PathBuf>) -> Self {
        self.settings(|settings| settings.unix_socket = Some(path.into()))
    }

    /// Applies a setting that was understood, or keeps the error for [`build`](Self::build).
    fn with<T>(
        mut self,
        parsed: Result<T, BuildError>,
        apply: impl FnOnce(&mut crate::settings::Settings, T),
    ) -> Self {
        match parsed {
            Ok(value) => apply(&mut self.settings, value),
            Err(error) => self.errors.push(error),
        }
        self
    }
}
