//! The options of the transport.

mod from_settings;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
#[cfg(feature = "platform-verifier")]
use std::sync::OnceLock;
use std::time::Duration;

use fetch_driver::{
    AddressFamily, ConnectTo, Connector, DnsResolver, Http2Mode, LocalAddress, ProxyRules,
};
use hashbrown::HashMap;
use http::HeaderMap;

use crate::connect::dns::SystemResolver;
use crate::connect::route::RouteRules;
#[cfg(feature = "tls")]
use crate::connect::tls::TlsOptions;
use crate::connect::verdicts::ProxyVerdicts;
use crate::pool::limit::ConnectionLimit;

/// The options of an [`HttpTransport`](crate::HttpTransport).
///
/// ```
/// use std::time::Duration;
///
/// let config = fetch_http::HttpConfig::new()
///     .max_connections(32)
///     .idle_timeout(Duration::from_secs(30))
///     .resolve("example.test", 80, ["127.0.0.1".parse().unwrap()]);
/// ```
#[derive(Clone, Debug)]
pub struct HttpConfig {
    pub(crate) address_family: AddressFamily,
    /// The fields of `CONNECT`.
    pub(crate) connect_headers: HeaderMap,
    /// What opens connections instead of the runtime.
    pub(crate) connector: Option<Arc<dyn Connector>>,
    pub(crate) decode: bool,
    pub(crate) request_codings: bool,
    pub(crate) dns_ttl: Duration,
    pub(crate) expect_timeout: Duration,
    pub(crate) http2: Http2Mode,
    pub(crate) idle_timeout: Duration,
    pub(crate) local_address: Option<LocalAddress>,
    pub(crate) max_connections: usize,
    pub(crate) max_head: usize,
    pub(crate) overrides: HashMap<(String, u16), Vec<IpAddr>>,
    pub(crate) private_addresses: bool,
    pub(crate) resolver: Arc<dyn DnsResolver>,
    pub(crate) routes: RouteRules,
    pub(crate) tcp_keepalive: Option<Duration>,
    pub(crate) tcp_nodelay: bool,
    /// What the transports of a fetcher share: the limit on connections and what proxies answered.
    shared: Option<Arc<SharedConnections>>,
    #[cfg(feature = "tls")]
    pub(crate) tls: TlsOptions,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            address_family: AddressFamily::Any,
            connect_headers: HeaderMap::new(),
            connector: None,
            decode: true,
            request_codings: true,
            dns_ttl: Duration::from_secs(300),
            expect_timeout: fetch_driver::DEFAULT_EXPECT_TIMEOUT,
            http2: Http2Mode::Auto,
            idle_timeout: fetch_driver::DEFAULT_IDLE_TIMEOUT,
            local_address: None,
            max_connections: fetch_driver::DEFAULT_MAX_CONNECTIONS,
            max_head: 300 * 1024,
            overrides: HashMap::new(),
            private_addresses: true,
            resolver: Arc::new(SystemResolver),
            routes: RouteRules::default(),
            tcp_keepalive: None,
            tcp_nodelay: true,
            shared: None,
            #[cfg(feature = "tls")]
            tls: TlsOptions::default(),
        }
    }
}

/// What the transports of one fetcher share.
#[derive(Debug)]
struct SharedConnections {
    limit: Arc<ConnectionLimit>,
    /// The verifier of the system, which is asked once.
    #[cfg(feature = "platform-verifier")]
    platform: OnceLock<Arc<dyn rustls::client::danger::ServerCertVerifier>>,
    verdicts: Arc<ProxyVerdicts>,
}

impl HttpConfig {
    /// The defaults.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new();
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Connects only to addresses of this family, like curl's `--ipv4` and `--ipv6`; by default to all.
    /// Addresses in URLs are not restricted.
    ///
    /// ```
    /// use fetch_driver::AddressFamily;
    /// let config = fetch_http::HttpConfig::new().address_family(AddressFamily::Ipv4);
    /// ```
    #[must_use]
    pub fn address_family(mut self, family: AddressFamily) -> Self {
        self.address_family = family;
        self
    }

    /// Connects to another host or port than the URL's, like curl's `--connect-to`. The first rule that
    /// matches applies.
    ///
    /// Behind an HTTP proxy such a URL is fetched through a tunnel, even without TLS.
    ///
    /// ```
    /// let rule = "www.a.test:80:127.0.0.1:8080".parse()?;
    /// let config = fetch_http::HttpConfig::new().connect_to(rule);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn connect_to(mut self, rule: ConnectTo) -> Self {
        self.routes.connect_to.push(rule);
        self
    }

    /// Whether to request compressed bodies and decode them; on by default.
    ///
    /// The features `gzip`, `brotli` and `zstd` add content codings. When off, bodies are returned as
    /// received, and no `Accept-Encoding` is sent.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().decode(false);
    /// ```
    #[must_use]
    pub fn decode(mut self, on: bool) -> Self {
        self.decode = on;
        self
    }

    /// How long the body of a request with `Expect: 100-continue` waits for the server's permission; 1 s
    /// by default. Then it is sent without. Applies to HTTP/1.1; over HTTP/2 the field is not sent.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().expect_timeout(std::time::Duration::from_millis(100));
    /// ```
    #[must_use]
    pub fn expect_timeout(mut self, limit: Duration) -> Self {
        self.expect_timeout = limit;
        self
    }

    /// Whether to request compressed bodies where they are decoded; on by default.
    ///
    /// When off, no `Accept-Encoding` is sent unless the request has one, and bodies are decoded if the
    /// server compresses them nevertheless.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().request_codings(false);
    /// ```
    #[must_use]
    pub fn request_codings(mut self, on: bool) -> Self {
        self.request_codings = on;
        self
    }

    /// How long a name's addresses are cached; 300 s by default, 0 turns the cache off.
    ///
    /// Failures are cached for at most 5 s.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().dns_ttl(std::time::Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn dns_ttl(mut self, ttl: Duration) -> Self {
        self.dns_ttl = ttl;
        self
    }

    /// When to use HTTP/2; by default, over https if the server chooses it.
    ///
    /// One connection carries up to 100 concurrent requests, or fewer if the server's limit is
    /// lower. Beyond that, another connection is opened. Up to 1 MiB of each response is read
    /// ahead, and up to 4 MiB per connection. Without the feature `http2` it is never used.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().http2(fetch_driver::Http2Mode::Off);
    /// ```
    #[must_use]
    pub fn http2(mut self, http2: Http2Mode) -> Self {
        self.http2 = http2;
        self
    }

    /// How long a connection may be idle before it is closed; 90 s by default, 0 turns keep-alive off.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().idle_timeout(std::time::Duration::from_secs(15));
    /// ```
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Connects from this address or network interface, like curl's `--interface`; by default the system
    /// chooses. The runtime must support it: see
    /// [`connect_from`](crate::HttpRuntime::connect_from).
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().local_address("127.0.0.1".parse()?);
    /// # Ok::<(), std::convert::Infallible>(())
    /// ```
    #[must_use]
    pub fn local_address(mut self, local: LocalAddress) -> Self {
        self.local_address = Some(local);
        self
    }

    /// The most open connections, idle ones included; 1,024 by default, at least 1.
    ///
    /// [`PoolSettings::max_connections`](field@fetch_driver::PoolSettings::max_connections) says which
    /// number is a good choice, and what happens at the limit.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().max_connections(2 * 100);
    /// ```
    #[must_use]
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = max.max(1);
        // This limit replaces the one of the settings.
        self.shared = None;
        self
    }

    /// The limit on connections, shared with other transports if the settings are.
    pub(crate) fn connection_limit(&self) -> Arc<ConnectionLimit> {
        match &self.shared {
            Some(shared) => shared.limit.clone(),
            None => Arc::new(ConnectionLimit::new(self.max_connections)),
        }
    }

    /// What proxies answered to the credentials, shared in the same way.
    pub(crate) fn proxy_verdicts(&self) -> Arc<ProxyVerdicts> {
        let shared = self.shared.as_ref();
        shared.map_or_else(Arc::default, |shared| shared.verdicts.clone())
    }

    /// The largest response head in bytes; 300 KiB by default, as in curl, and at least 1 KiB.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().max_head(16 * 1024);
    /// ```
    #[must_use]
    pub fn max_head(mut self, bytes: usize) -> Self {
        self.max_head = bytes.max(1024);
        self
    }

    /// The proxies, by URL; none by default.
    ///
    /// An HTTP proxy forwards requests for http URLs, all over the same connections. https URLs use a
    /// tunnel per origin, and so does everything behind a SOCKS proxy, which needs the feature
    /// `socks`.
    ///
    /// ```
    /// use fetch_driver::{Proxy, ProxyRules};
    ///
    /// let rules = ProxyRules::new().all(Proxy::parse("socks5h://127.0.0.1:9050")?);
    /// let config = fetch_http::HttpConfig::new().proxy(rules);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn proxy(mut self, rules: ProxyRules) -> Self {
        self.routes.proxies = rules;
        self
    }

    /// The header fields that only HTTP proxies get, like curl's `--proxy-header`: with requests that they
    /// forward, and, after the fields in `connect`, with `CONNECT`; by default none.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue};
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-proxy", HeaderValue::from_static("1"));
    /// let config = fetch_http::HttpConfig::new().proxy_headers(HeaderMap::new(), headers);
    /// ```
    #[must_use]
    pub fn proxy_headers(mut self, connect: HeaderMap, headers: HeaderMap) -> Self {
        self.connect_headers = connect;
        self.connect_headers.extend(headers.clone());
        self.routes.proxy_headers = Arc::new(headers);
        self
    }

    /// Whether http URLs, too, go through a tunnel of an HTTP proxy, like curl's `--proxytunnel`; off by
    /// default.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().proxy_tunnel(true);
    /// ```
    #[must_use]
    pub fn proxy_tunnel(mut self, on: bool) -> Self {
        self.routes.proxy_tunnel = on;
        self
    }

    /// Uses `addresses` for this host and port instead of the resolver's, like curl's `--resolve`.
    ///
    /// ```
    /// let addr = "127.0.0.1".parse().unwrap();
    /// let config = fetch_http::HttpConfig::new().resolve("example.test", 443, [addr]);
    /// ```
    #[must_use]
    pub fn resolve(
        mut self,
        host: &str,
        port: u16,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let key = (host.to_ascii_lowercase(), port);
        self.overrides.insert(key, addresses.into_iter().collect());
        self
    }

    /// Sets whether servers at private addresses may be reached, except those given by
    /// [`resolve`](Self::resolve). Default: true.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().private_addresses(false);
    /// ```
    #[must_use]
    pub fn private_addresses(mut self, allowed: bool) -> Self {
        self.private_addresses = allowed;
        self
    }

    /// Looks up names with this resolver instead of the system's.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().resolver(fetch_http::SystemResolver);
    /// ```
    #[must_use]
    pub fn resolver(mut self, resolver: impl DnsResolver) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// Trusted authorities and the client certificate for https.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().tls(fetch_http::TlsOptions::new());
    /// ```
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, options: TlsOptions) -> Self {
        self.tls = options;
        self
    }

    /// Connects to this Unix socket for every URL, and uses no proxy. The runtime must support Unix
    /// sockets.
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::new().unix_socket("/run/docker.sock");
    /// ```
    #[must_use]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.routes.unix_socket = Some(path.into());
        self
    }
}
