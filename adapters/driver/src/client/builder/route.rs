//! Settings of the builder: how servers are reached.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Builder, parse_header};
use crate::settings::adapter::Adapter;
use crate::settings::connector::Connector;
use crate::settings::dns_resolver::DnsResolver;
use crate::settings::local_address::{AddressFamily, LocalAddress};
use crate::settings::proxy::Proxy;
use crate::settings::proxy_rules::ProxyRules;

impl<A: Adapter> Builder<A> {
    /// Connects to addresses of this family only. Default: any. Not with surf.
    ///
    /// ```
    /// use fetch_driver::AddressFamily;
    /// let builder = fetch_smol::Fetcher::builder().address_family(AddressFamily::Ipv4);
    /// ```
    pub fn address_family(mut self, family: AddressFamily) -> Self {
        self.settings.route.address_family = family;
        self
    }

    /// Connects from this address of this machine, or from this network interface (Linux). Default: the
    /// system chooses. Not with surf.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// let local = std::net::IpAddr::from([127, 0, 0, 1]);
    /// let builder = fetch_smol::Fetcher::builder().local_address(local);
    /// assert!(smol::block_on(builder.build()?.get(site.url("/get"))).is_ok());
    ///
    /// let interface = "if!eth0".parse::<fetch_driver::LocalAddress>()?;
    /// let builder = fetch_smol::Fetcher::builder().local_address(interface);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn local_address(mut self, local: impl Into<LocalAddress>) -> Self {
        self.settings.route.local_address = Some(local.into());
        self
    }

    /// Sends this header field to proxies only. Default: none.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().proxy_header("x-team", "crawl");
    /// ```
    pub fn proxy_header(self, name: &str, value: &str) -> Self {
        let field = parse_header("proxy_header", name, value);
        self.apply(field, |settings, (name, value)| {
            settings.route.proxy_headers.insert(name, value);
        })
    }

    /// Sets whether proxies are asked for a tunnel (CONNECT) to http servers, too. Default no: only to
    /// https servers.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().proxy_tunnel(true);
    /// ```
    pub fn proxy_tunnel(mut self, tunnel: bool) -> Self {
        self.settings.route.proxy_tunnel = tunnel;
        self
    }

    /// Looks names up with this resolver in place of the system's: on smol, tokio and async-std. It does
    /// not apply to what [`resolve`](Self::resolve) sets, nor to what a proxy looks up.
    ///
    /// ```
    /// use fetch_driver::{DnsResolver, ResolvedAddresses};
    ///
    /// #[derive(Debug)]
    /// struct EveryNameIsHere;
    ///
    /// impl DnsResolver for EveryNameIsHere {
    ///     fn resolve(&self, _: &str) -> ResolvedAddresses {
    ///         Box::pin(async { Ok(vec![[127, 0, 0, 1].into()]) })
    ///     }
    /// }
    ///
    /// # let site = fetch_testbed::Site::start()?;
    /// let fetcher = fetch_smol::Fetcher::builder().resolver(EveryNameIsHere).build()?;
    /// let url = format!("http://a.test:{}/get", site.address().port());
    /// assert!(smol::block_on(fetcher.get(url)).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resolver(mut self, resolver: impl DnsResolver) -> Self {
        self.settings.route.resolver = Some(Arc::new(resolver));
        self
    }

    /// Connects to another host or port than the URL's: see [`ConnectTo`](crate::ConnectTo). The first
    /// rule that applies is used.
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
        self.apply(rule.parse(), |settings, rule| {
            settings.route.connect_to.push(rule);
        })
    }

    /// Opens connections by this [`Connector`], which knows the host and the port: on smol, tokio and
    /// async-std. It cannot be combined with other settings of routes, except
    /// [`connect_to`](Self::connect_to).
    ///
    /// ```
    /// use fetch_driver::{Connector, OpenedConnection};
    ///
    /// #[derive(Debug)]
    /// struct Offline;
    ///
    /// impl Connector for Offline {
    ///     fn connect(&self, _: &str, _: u16) -> OpenedConnection {
    ///         Box::pin(async { Err(std::io::ErrorKind::NetworkUnreachable.into()) })
    ///     }
    /// }
    ///
    /// let fetcher = fetch_smol::Fetcher::builder()
    ///     .patch(fetch_driver::PolicyPatch::default().attempts(1))
    ///     .connector(Offline)
    ///     .build()?;
    /// assert!(smol::block_on(fetcher.get("http://a.test/")).unwrap_err().is_connect());
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.settings.route.connector = Some(Arc::new(connector));
        self
    }

    /// Sets how long DNS answers are cached. Default 300 s.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().dns_ttl(std::time::Duration::from_secs(60));
    /// ```
    pub fn dns_ttl(mut self, ttl: Duration) -> Self {
        self.settings.route.dns_ttl = ttl;
        self
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
        let rules = self.settings.route.proxy.clone().no_proxy(list);
        self.apply(rules, |settings, rules| settings.route.proxy = rules)
    }

    /// Sends all requests through this proxy: `http://`, `socks4://`, `socks4a://`, `socks5://` or `socks5h://`, then
    /// `user:password@` if it requires them, then `host:port`. See [`Proxy::parse`], and
    /// [`ProxyRules`] for different proxies for http and https.
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
        self.apply(Proxy::parse(url), |settings, proxy| {
            let rules = std::mem::take(&mut settings.route.proxy);
            settings.route.proxy = rules.all(proxy);
        })
    }

    /// Uses the proxies and the exceptions of the environment, instead of those set before: see
    /// [`ProxyRules::from_env`].
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().proxy_from_env().build()?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn proxy_from_env(self) -> Self {
        self.apply(ProxyRules::from_env(), |settings, rules| {
            settings.route.proxy = rules;
        })
    }

    /// Sets whether servers at private addresses may be reached: loopback, private networks, link-local,
    /// metadata services of clouds. Default: true.
    ///
    /// If not, the addresses of each host are checked once they are known, also after a redirect, and
    /// a fetch from such a server fails with
    /// [`FailureKind::PrivateAddress`](fetch_proto::FailureKind::PrivateAddress). Addresses given by
    /// [`resolve`](Self::resolve) are always allowed. It cannot be combined with a proxy, which looks
    /// names up itself, nor with the adapters isahc and surf.
    ///
    /// ```
    /// let fetcher = fetch_smol::Fetcher::builder().private_addresses(false).build()?;
    /// let error = smol::block_on(fetcher.get("http://localhost/")).unwrap_err();
    /// assert!(error.to_string().contains("private address"));
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    pub fn private_addresses(mut self, allowed: bool) -> Self {
        self.settings.route.private_addresses = allowed;
        self
    }

    /// Uses these addresses for a host name and port instead of asking DNS.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().resolve("a.test", 80, ["127.0.0.1".parse()?]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resolve(
        mut self,
        host: &str,
        port: u16,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let addresses = addresses.into_iter().collect();
        let entry = (host.to_owned(), port, addresses);
        self.settings.route.resolve.push(entry);
        self
    }

    /// Has the system check TCP connections that were silent for this long, so that one whose peer is gone
    /// ends. A fraction of a second is rounded up. Default: never. On smol, tokio and async-std.
    ///
    /// ```
    /// let pause = std::time::Duration::from_secs(60);
    /// let builder = fetch_smol::Fetcher::builder().tcp_keepalive(pause);
    /// ```
    pub fn tcp_keepalive(mut self, pause: Duration) -> Self {
        self.settings.route.tcp_keepalive = Some(pause);
        self
    }

    /// Sets whether small packets are sent at once (`TCP_NODELAY`). Default: true. isahc and
    /// surf cannot switch it off.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().tcp_nodelay(false);
    /// ```
    pub fn tcp_nodelay(mut self, enabled: bool) -> Self {
        self.settings.route.tcp_nodelay = enabled;
        self
    }

    /// Sends all requests to the server that listens on this Unix socket. The `Host` field, and the
    /// name that a certificate must match, are still those of the URL. It cannot be combined with a
    /// proxy.
    ///
    /// ```no_run
    /// let fetcher = fetch_smol::Fetcher::builder().unix_socket("/run/docker.sock").build()?;
    /// let images = smol::block_on(fetcher.get("http://docker/images/json"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.route.unix_socket = Some(path.into());
        self
    }
}
