//! The transport's options and their defaults.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fetch_driver::{ConnectTo, Http2, ProxyRules};
use hashbrown::HashMap;

use crate::connections::Connections;
use crate::dns::{Resolve, SystemResolver};
use crate::origin::OriginRef;
use crate::proxy::Routes;
#[cfg(feature = "tls")]
use crate::tls::TlsOptions;

/// How an [`HttpTransport`](crate::HttpTransport) works.
///
/// ```
/// use std::time::Duration;
///
/// let config = fetch_http::Config::new()
///     .max_connections(32)
///     .idle_timeout(Duration::from_secs(30))
///     .resolve("example.test", 80, ["127.0.0.1".parse().unwrap()]);
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// The bound that several transports have together.
    pub(crate) common: Option<Arc<Connections>>,
    pub(crate) decode: bool,
    pub(crate) dns_ttl: Duration,
    pub(crate) http2: Http2,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_connections: usize,
    pub(crate) max_head: usize,
    pub(crate) overrides: HashMap<(String, u16), Vec<IpAddr>>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) routes: Routes,
    #[cfg(feature = "tls")]
    pub(crate) tls: TlsOptions,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            common: None,
            decode: true,
            dns_ttl: Duration::from_secs(300),
            http2: Http2::Auto,
            idle_timeout: Duration::from_secs(90),
            max_connections: 200,
            max_head: 64 * 1024,
            overrides: HashMap::new(),
            resolver: Arc::new(SystemResolver),
            routes: Routes::default(),
            #[cfg(feature = "tls")]
            tls: TlsOptions::default(),
        }
    }
}

impl Config {
    /// The defaults.
    ///
    /// ```
    /// let config = fetch_http::Config::new();
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Connects to another host or port than a URL names; the first rule that applies counts.
    ///
    /// Behind an HTTP proxy such a URL is fetched through a tunnel, also without TLS.
    ///
    /// ```
    /// let rule = "www.a.test:80:127.0.0.1:8080".parse()?;
    /// let config = fetch_http::Config::new().connect_to(rule);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn connect_to(mut self, rule: ConnectTo) -> Self {
        self.routes.connect_to.push(rule);
        self
    }

    /// Whether to ask for compressed bodies and decode them; on by default.
    ///
    /// Which codings, the features `gzip`, `brotli` and `zstd` say. When it is off, bodies come as
    /// they were sent, and no `Accept-Encoding` is added.
    ///
    /// ```
    /// let config = fetch_http::Config::new().decode(false);
    /// ```
    #[must_use]
    pub fn decode(mut self, on: bool) -> Self {
        self.decode = on;
        self
    }

    /// How long a name's addresses are remembered; 300 s by default, 0 turns the memory off.
    ///
    /// Failures are remembered for 5 s at most.
    ///
    /// ```
    /// let config = fetch_http::Config::new().dns_ttl(std::time::Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn dns_ttl(mut self, ttl: Duration) -> Self {
        self.dns_ttl = ttl;
        self
    }

    /// When HTTP/2 is spoken: over https where the server chooses it, by default.
    ///
    /// One connection carries up to 100 requests at once, or fewer if the server says so; when it is
    /// full, another one is opened. Of each response up to 1 MiB is read ahead of its consumer, and
    /// up to 4 MiB of all on one connection. Without the feature `http2` it is never spoken.
    ///
    /// ```
    /// let config = fetch_http::Config::new().http2(fetch_driver::Http2::Off);
    /// ```
    #[must_use]
    pub fn http2(mut self, http2: Http2) -> Self {
        self.http2 = http2;
        self
    }

    /// Whether connections to `origin` may turn out to be shared.
    pub(crate) fn may_share(&self, origin: OriginRef<'_>) -> bool {
        cfg!(feature = "http2")
            && !origin.proxy
            && match self.http2 {
                Http2::Off => false,
                Http2::PriorKnowledge => true,
                _ => origin.tls,
            }
    }

    /// How long an unused connection is kept; 90 s by default, 0 turns keep-alive off.
    ///
    /// ```
    /// let config = fetch_http::Config::new().idle_timeout(std::time::Duration::from_secs(15));
    /// ```
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// The most connections open at once, idle ones included; 200 by default, at least 1.
    ///
    /// Twice the concurrency is a good choice. At the bound, the longest idle connection is closed
    /// to make room; while none is idle, requests wait for one.
    ///
    /// ```
    /// let config = fetch_http::Config::new().max_connections(2 * 100);
    /// ```
    #[must_use]
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = max.max(1);
        // It is another bound than that of the settings.
        self.common = None;
        self
    }

    /// The bound on connections, and who keeps to it.
    pub(crate) fn connections(&self) -> Arc<Connections> {
        let alone = || Arc::new(Connections::new(self.max_connections));
        self.common.clone().unwrap_or_else(alone)
    }

    /// The largest head of a response in bytes; 64 KiB by default, at least 1 KiB.
    ///
    /// A head may have up to 100 fields.
    ///
    /// ```
    /// let config = fetch_http::Config::new().max_head(16 * 1024);
    /// ```
    #[must_use]
    pub fn max_head(mut self, bytes: usize) -> Self {
        self.max_head = bytes.max(1024);
        self
    }

    /// Which proxy serves which URL; none by default.
    ///
    /// http URLs are asked of an HTTP proxy whole, and one connection to it serves them all; https
    /// goes through a tunnel per origin, as does everything behind SOCKS5.
    ///
    /// ```
    /// use fetch_driver::{Proxy, ProxyRules};
    ///
    /// let rules = ProxyRules::new().all(Proxy::parse("socks5h://127.0.0.1:9050")?);
    /// let config = fetch_http::Config::new().proxy(rules);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn proxy(mut self, rules: ProxyRules) -> Self {
        self.routes.proxies = rules;
        self
    }

    /// Uses `addresses` for this host and port instead of asking the resolver.
    ///
    /// ```
    /// let addr = "127.0.0.1".parse().unwrap();
    /// let config = fetch_http::Config::new().resolve("example.test", 443, [addr]);
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

    /// Who is asked for addresses; the system by default.
    ///
    /// ```
    /// let config = fetch_http::Config::new().resolver(fetch_http::SystemResolver);
    /// ```
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// Whom to trust over https.
    ///
    /// ```
    /// let config = fetch_http::Config::new().tls(fetch_http::TlsOptions::new());
    /// ```
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, options: TlsOptions) -> Self {
        self.tls = options;
        self
    }
    /// Connects to this Unix socket for every URL, and to no proxy. The runtime must have them.
    ///
    /// ```
    /// let config = fetch_http::Config::new().unix_socket("/run/docker.sock");
    /// ```
    #[must_use]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.routes.unix_socket = Some(path.into());
        self
    }
}
