//! How a fetcher is to work, whatever its runtime.

pub(crate) mod adapter;
pub(crate) mod build_error;
pub(crate) mod connect_to;
pub(crate) mod no_proxy;
pub(crate) mod proxy;
pub(crate) mod proxy_rules;
pub(crate) mod tls;
pub(crate) mod with_transport;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use fetch_proto::{Rate, Rules};
use http::{HeaderMap, HeaderValue, header};

use crate::fields::cookie_jar::CookieJar;
use crate::model::fallback_value::FallbackValue;
use crate::settings::connect_to::ConnectTo;
use crate::settings::proxy_rules::ProxyRules;
use crate::settings::tls::{Http2, Identity};
use crate::transport::shared_state::InCommon;

/// All settings of a fetcher, as plain data: what a [`Builder`](crate::Builder) collects and an [`Adapter`](crate::Adapter) reads.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// PEM certificates of CAs to trust besides the built-in ones.
    pub ca_certificates: Vec<Vec<u8>>,
    /// The certificate to show to servers that ask for one. Default: none.
    pub client_certificate: Option<Identity>,
    /// What the transports of several threads share, such as the bound on connections. Each fetcher that
    /// is built has its own.
    pub common: InCommon,
    /// How many attempts may be in flight at once. Default 100.
    pub concurrency: usize,
    /// The engine's configuration, for what has no setting of its own here: breakers, budgets,
    /// learned limits, targets. What has one comes from there.
    pub config: fetch_proto::Config,
    /// Where to connect instead of the URL's host and port. The first that applies counts.
    pub connect_to: Vec<ConnectTo>,
    /// The jar that cookies are kept in. Default: one of the fetcher's own.
    pub cookie_jar: Option<CookieJar>,
    /// Whether cookies are kept and sent back. Default no.
    pub cookies: bool,
    /// Whether compressed bodies are asked for and decoded. Default yes.
    pub decode: bool,
    /// How long DNS answers are kept. Default 300 s.
    pub dns_ttl: Duration,
    /// Whether decisions are reported to the log at debug level. Default: if that level is on when
    /// the fetcher is built.
    pub events: bool,
    /// What to answer with where a policy's [`Fallback`](fetch_proto::Fallback) asks for a value.
    pub fallback_value: Option<FallbackValue>,
    /// Header fields of every request.
    pub headers: HeaderMap,
    /// How fast attempts at one host may begin. Default: no limit.
    pub host_rate: Option<Rate>,
    /// When HTTP/2 is spoken. Default: where client and server agree on it.
    pub http2: Http2,
    /// How long an idle connection is kept. Default 90 s.
    pub idle_timeout: Duration,
    /// Whether TLS certificates are not checked. Default no, of course.
    pub insecure: bool,
    /// The most connections in all, idle ones included. Default 2 × the concurrency, but no less than
    /// 1,024 if the process may have twice as many files open.
    pub max_connections: Option<usize>,
    /// How many attempts may be in flight at once at one host. Default: no limit of its own.
    pub per_host: Option<usize>,
    /// Which proxy serves which URL. Default: none.
    pub proxy: ProxyRules,
    /// How fast attempts may begin. Default: no limit.
    pub rate: Option<Rate>,
    /// Addresses to use for a host name and port instead of asking DNS.
    pub resolve: Vec<(String, u16, Vec<IpAddr>)>,
    /// The rules that choose each request's policy.
    pub rules: Rules,
    /// Where all chance comes from. Default: drawn when the fetcher is built.
    pub seed: Option<u64>,
    /// Whether GET and HEAD requests for the same, at the same time, are one. Default no.
    pub share: bool,
    /// How many good responses to GET are kept, to answer with where a policy's
    /// [`Fallback`](fetch_proto::Fallback) asks for a value. Default 0. Each may be as large as the
    /// largest body.
    pub stale: usize,
    /// How many threads fetch, each with an engine and connections of its own. Default 1.
    pub threads: usize,
    /// How many outcomes may wait for the consumer before no more attempts are started. Default: as
    /// many as the concurrency.
    pub undelivered: Option<usize>,
    /// The Unix socket that all requests go to.
    pub unix_socket: Option<PathBuf>,
    /// How many fetches may be live at once. Default 4 × the concurrency, at least 10,000.
    pub window: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        let mut headers = HeaderMap::new();
        let agent = concat!("fetch-all/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        Self {
            ca_certificates: Vec::new(),
            client_certificate: None,
            common: InCommon::default(),
            concurrency: 100,
            config: fetch_proto::Config::default(),
            connect_to: Vec::new(),
            cookie_jar: None,
            cookies: false,
            decode: true,
            dns_ttl: Duration::from_secs(300),
            events: log::log_enabled!(target: crate::LOG_TARGET, log::Level::Debug),
            fallback_value: None,
            headers,
            host_rate: None,
            http2: Http2::default(),
            idle_timeout: Duration::from_secs(90),
            insecure: false,
            max_connections: None,
            per_host: None,
            proxy: ProxyRules::default(),
            rate: None,
            resolve: Vec::new(),
            rules: Rules::default(),
            seed: None,
            share: false,
            stale: 0,
            threads: 1,
            undelivered: None,
            unix_socket: None,
            window: None,
        }
    }
}

impl Settings {
    /// The bound on connections: as set, or 2 × the concurrency, but no less than 1,024, so that in a
    /// list of many hosts each finds its connection again.
    ///
    /// ```
    /// let mut settings = fetch_driver::Settings::default();
    /// assert_eq!(settings.connection_limit(), 1_024);
    /// settings.concurrency = 1_000;
    /// assert_eq!(settings.connection_limit(), 2_000);
    /// ```
    #[must_use]
    pub fn connection_limit(&self) -> usize {
        let most = || self.concurrency.saturating_mul(2).max(1_024);
        self.max_connections.unwrap_or_else(most).max(1)
    }

    /// Takes over the engine's whole configuration.
    ///
    /// ```
    /// let mut settings = fetch_driver::Settings::default();
    /// settings.adopt(fetch_driver::Config::default().concurrency(7));
    /// assert_eq!(settings.concurrency, 7);
    /// ```
    pub fn adopt(&mut self, config: fetch_proto::Config) {
        self.concurrency = config.concurrency_limit();
        self.host_rate = config.host_rate_limit();
        self.per_host = config.per_host_limit();
        self.rate = config.rate_limit();
        self.rules = config.rules_ref().clone();
        self.window = config.window_setting();
        self.config = config;
    }

    /// The engine's share of the settings.
    ///
    /// ```
    /// let mut settings = fetch_driver::Settings::default();
    /// settings.concurrency = 7;
    /// assert_eq!(settings.engine_config().concurrency_limit(), 7);
    /// ```
    #[must_use]
    pub fn engine_config(&self) -> fetch_proto::Config {
        let mut config = self
            .config
            .clone()
            .concurrency(self.concurrency)
            .events(self.events)
            .per_host(self.per_host.unwrap_or(0))
            .rules(self.rules.clone());
        if let Some(window) = self.window {
            config = config.window(window);
        }
        if let Some(rate) = self.rate {
            config = config.rate(rate);
        }
        if let Some(rate) = self.host_rate {
            config = config.host_rate(rate);
        }
        config
    }
}
