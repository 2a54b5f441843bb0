//! All settings of a fetcher, as plain data.

pub(crate) mod adapter;
pub(crate) mod build_error;
pub(crate) mod connect_to;
pub(crate) mod connector;
pub(crate) mod dns_resolver;
pub(crate) mod fallback;
mod hooks;
pub(crate) mod local_address;
pub(crate) mod no_proxy;
pub(crate) mod pool;
pub(crate) mod proxy;
pub(crate) mod proxy_rules;
pub(crate) mod route;
pub(crate) mod tls;
pub(crate) mod transport_override;

use std::sync::Arc;
use std::time::Duration;

use fetch_proto::{AuthProfile, EngineConfig};
use http::{HeaderMap, HeaderValue, header};

use self::fallback::FallbackSettings;
use self::pool::PoolSettings;
use self::route::RouteSettings;
use self::tls::{Http2Mode, TlsSettings};
use crate::auth::shared::SharedCredential;
use crate::auth::source::CredentialSource;
#[cfg(feature = "cache")]
use crate::cache::handle::Cache;
#[cfg(feature = "cookies")]
use crate::fields::cookies::jar::CookieJar;
use crate::fields::hsts::HstsStore;
use crate::fields::netrc::Netrc;
use crate::model::hook::Hooks;
use crate::transport::shared_state::SharedState;

/// How long a body waits for `100 Continue` by default: 1 s.
pub const DEFAULT_EXPECT_TIMEOUT: Duration = Duration::from_secs(1);

/// All settings of a fetcher: a [`Builder`](crate::Builder) collects them, an
/// [`Adapter`](crate::Adapter) reads them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Where responses are stored. Default: `None`, nothing is. Clones of the settings share what is stored.
    #[cfg(feature = "cache")]
    pub cache: Option<Cache>,
    /// The engine's configuration: concurrency, limits per host, rates, rules, window, breakers,
    /// budgets. It is the only place that holds them.
    pub config: EngineConfig,
    /// Where cookies are stored. Default: `None`, cookies are neither stored nor sent. Clones of the
    /// settings share the jar.
    #[cfg(feature = "cookies")]
    pub cookie_jar: Option<CookieJar>,
    /// Tokens that requests share, with their sources.
    pub(crate) credentials: Vec<SharedCredential>,
    /// Whether compressed bodies are requested and decoded. Default yes.
    pub decode: bool,
    /// How long the body of a request with `Expect: 100-continue` waits for `100 Continue` before it is
    /// sent without. Default [`DEFAULT_EXPECT_TIMEOUT`], as in curl.
    pub expect_timeout: Duration,
    /// Responses that replace failures, where a policy's [`Fallback`](fetch_proto::Fallback) asks
    /// for a value.
    pub fallback: FallbackSettings,
    /// Header fields of every request.
    pub headers: HeaderMap,
    /// Functions that decide about attempts and responses.
    pub(crate) hooks: Hooks,
    /// The hosts that are reached by https only. Default: `None`, `Strict-Transport-Security` is ignored.
    /// Clones of the settings share the store.
    pub hsts: Option<HstsStore>,
    /// When HTTP/2 is used. Default: where client and server agree on it.
    pub http2: Http2Mode,
    /// Logins of hosts for requests without an `Authorization` field, also after redirects. Default:
    /// `None`.
    pub netrc: Option<Arc<Netrc>>,
    /// Limits of the connection pool.
    pub pool: PoolSettings,
    /// Whether compressed bodies are requested where they are decoded: the default field
    /// `Accept-Encoding`. Default yes.
    pub request_codings: bool,
    /// How servers are reached: DNS, proxies, sockets.
    pub route: RouteSettings,
    /// Seed of all random choices, such as jitter. Default: drawn when the fetcher is built.
    pub seed: Option<u64>,
    /// Whether identical GET and HEAD requests that are in flight at the same time are sent once.
    /// Default no.
    pub share: bool,
    /// State that the transports of several threads share, such as the bound on connections. It is
    /// replaced when a fetcher is built.
    pub shared_state: SharedState,
    /// How many threads fetch, each with its own engine and connections. Default 1.
    pub threads: usize,
    /// Which certificates are trusted and presented.
    pub tls: TlsSettings,
    /// How many outcomes may wait for the consumer before no more attempts are started. Default: as
    /// many as the concurrency.
    pub undelivered: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        let mut headers = HeaderMap::new();
        let agent = concat!("fetch-all/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        Self {
            #[cfg(feature = "cache")]
            cache: None,
            config: EngineConfig::default(),
            credentials: Vec::new(),
            #[cfg(feature = "cookies")]
            cookie_jar: None,
            decode: true,
            expect_timeout: DEFAULT_EXPECT_TIMEOUT,
            fallback: FallbackSettings::default(),
            headers,
            hooks: Hooks::default(),
            hsts: None,
            http2: Http2Mode::default(),
            netrc: None,
            pool: PoolSettings::default(),
            request_codings: true,
            route: RouteSettings::default(),
            seed: None,
            share: false,
            shared_state: SharedState::default(),
            threads: 1,
            tls: TlsSettings::default(),
            undelivered: None,
        }
    }
}

impl Settings {
    /// Changes the engine's configuration, whose setters take it by value.
    ///
    /// ```
    /// let mut settings = fetch_driver::Settings::default();
    /// settings.update_config(|config| config.concurrency(7).per_host(2));
    /// assert_eq!(settings.config.concurrency_limit(), 7);
    /// ```
    pub fn update_config(&mut self, change: impl FnOnce(EngineConfig) -> EngineConfig) {
        self.config = change(std::mem::take(&mut self.config));
    }

    /// Authenticates the requests to which `profile` applies with tokens of `source`: see
    /// [`Builder::auth`](crate::Builder::auth).
    ///
    /// ```
    /// use fetch_driver::{AccessToken, AuthProfile, CredentialError, Settings};
    ///
    /// let profile = AuthProfile::new("api").scope("https://api.example/".parse()?);
    /// Settings::default().add_credentials(profile, || async {
    ///     AccessToken::bearer("t0k3n").map_err(CredentialError::refused)
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_credentials(&mut self, profile: AuthProfile, source: impl CredentialSource) {
        self.credentials
            .push(SharedCredential::new(profile, source));
    }

    /// The bound on connections: as set, or the default at this concurrency, as
    /// [`PoolSettings::max_connections`](field@PoolSettings::max_connections) describes it.
    ///
    /// ```
    /// let mut settings = fetch_driver::Settings::default();
    /// assert_eq!(settings.connection_limit(), 1_024);
    /// settings.update_config(|config| config.concurrency(1_000));
    /// assert_eq!(settings.connection_limit(), 2_000);
    /// ```
    #[must_use]
    pub fn connection_limit(&self) -> usize {
        self.pool.connection_limit(self.config.concurrency_limit())
    }

    /// Whether a policy has a `first_byte` timeout, which only clients that report when they are
    /// connected can apply.
    ///
    /// ```
    /// assert!(!fetch_driver::Settings::default().has_first_byte_timeout());
    /// ```
    #[must_use]
    pub fn has_first_byte_timeout(&self) -> bool {
        let rules = &self.config.rules;
        let policies = rules.iter().map(|(_, policy)| policy);
        let mut policies = policies.chain([rules.default_policy()]);
        policies.any(|policy| policy.timeouts.first_byte.is_some())
    }

    /// How many outcomes may wait for the consumer.
    pub(crate) fn undelivered_limit(&self) -> usize {
        let concurrency = self.config.concurrency_limit();
        self.undelivered.unwrap_or(concurrency).max(1)
    }

    /// The name of a setting that only an HTTP client can apply and that differs from its default.
    fn changed_client_setting(&self) -> Option<&'static str> {
        let http2 = (self.http2 != Http2Mode::default()).then_some("http2");
        let expect = self.expect_timeout != DEFAULT_EXPECT_TIMEOUT;
        let http2 = http2.or_else(|| expect.then_some("expect_timeout"));
        let tls = || self.tls.first_changed();
        let route = || self.route.first_changed();
        let pool = || self.pool.first_changed();
        http2.or_else(tls).or_else(route).or_else(pool)
    }
}

#[cfg(test)]
mod tests {
    use fetch_proto::{Policy, PolicyRules};

    use super::*;

    #[test]
    fn the_engines_configuration_is_the_only_source_of_its_limits() {
        let rate = "5/s".parse().unwrap();
        let rules = PolicyRules::from_policy(Policy::default().attempts(9));
        let config = EngineConfig::default()
            .concurrency(700)
            .host_rate(rate)
            .per_host(3)
            .rate(rate)
            .rules(rules)
            .window(50);
        let mut settings = Settings {
            config: config.clone(),
            ..Default::default()
        };
        assert_eq!(settings.connection_limit(), 1_400);
        assert_eq!(settings.undelivered_limit(), 700);
        settings.update_config(|config| config.concurrency(7));
        assert_eq!(settings.undelivered_limit(), 7);
        assert_eq!(settings.config, config.concurrency(7));
    }

    #[test]
    fn a_setting_that_only_a_client_can_apply_is_found() {
        type Change = fn(&mut Settings);
        let table: [(Change, Option<&str>); 6] = [
            (|_| {}, None),
            (|all| all.decode = false, None),
            (|all| all.http2 = Http2Mode::Off, Some("http2")),
            (|all| all.tls.insecure = true, Some("insecure")),
            (
                |all| all.pool.max_connections = Some(5),
                Some("max_connections"),
            ),
            (
                |all| all.route.unix_socket = Some("s".into()),
                Some("unix_socket"),
            ),
        ];
        for (change, expected) in table {
            let mut settings = Settings::default();
            change(&mut settings);
            assert_eq!(settings.changed_client_setting(), expected);
        }
    }
}
