//! The options of the transport from a fetcher's settings.

use std::sync::Arc;

#[cfg(not(feature = "socks"))]
use fetch_driver::ProxyKind;
use fetch_driver::{BuildError, Connector, Http2Mode, ProxyRules, RouteSettings, Settings};
#[cfg(feature = "tls")]
use fetch_driver::{ClientIdentity, TrustedRoots};
use http::HeaderMap;
use http::header::USER_AGENT;
#[cfg(feature = "tls")]
use rustls::client::danger::ServerCertVerifier;

use super::{HttpConfig, SharedConnections};
use crate::connect::exhaustion::raise_fd_limit;
#[cfg(feature = "tls")]
use crate::connect::tls::TlsOptions;
use crate::pool::limit::ConnectionLimit;

impl HttpConfig {
    /// The options that correspond to `settings`. Every adapter over this transport uses it.
    ///
    /// Also raises the process's soft limit on open files: see
    /// [`raise_fd_limit`](crate::raise_fd_limit).
    ///
    /// ```
    /// let config = fetch_http::HttpConfig::from_settings(&fetch_driver::Settings::default())?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a certificate cannot be read, if the settings need a feature (`http2`, `socks`, `tls`)
    /// that is not enabled, or if a Unix socket is set together with a proxy or on a system without
    /// Unix sockets.
    pub fn from_settings(settings: &Settings) -> Result<Self, BuildError> {
        // A bulk fetcher soon needs more descriptors than the usual soft limit of 1,024. A failure is
        // no error: the engine treats exhausted descriptors as back-pressure.
        let files = raise_fd_limit();
        let files = files.map_or(1_024, |files| usize::try_from(files).unwrap_or(usize::MAX));
        if settings.http2 == Http2Mode::PriorKnowledge && !cfg!(feature = "http2") {
            return Err(BuildError::new(
                "http2",
                "built without the feature `http2`",
            ));
        }
        let mut config = Self::new()
            .decode(settings.decode)
            .request_codings(settings.request_codings)
            .dns_ttl(settings.route.dns_ttl)
            .expect_timeout(settings.expect_timeout)
            .http2(settings.http2)
            .idle_timeout(settings.pool.idle_timeout)
            .max_connections(max_connections(settings, files));
        let max = config.max_connections;
        let shared = settings.shared_state.get_or_init(|| SharedConnections {
            limit: Arc::new(ConnectionLimit::new(max)),
            #[cfg(feature = "platform-verifier")]
            platform: std::sync::OnceLock::new(),
            verdicts: Arc::default(),
        });
        config.shared = Some(shared);
        config = with_routes(config, settings)?;
        for (host, port, addresses) in &settings.route.resolve {
            config = config.resolve(host, *port, addresses.iter().copied());
        }
        with_tls(config, settings)
    }
}

/// The limit on connections if the process may open this many files. The default leaves half of the
/// descriptors to other uses, but allows at least two connections per concurrent request.
fn max_connections(settings: &Settings, files: usize) -> usize {
    let limit = settings.connection_limit();
    match settings.pool.max_connections {
        Some(_) => limit,
        None => limit.min((files / 2).max(settings.config.concurrency_limit().saturating_mul(2))),
    }
}

fn with_routes(mut config: HttpConfig, settings: &Settings) -> Result<HttpConfig, BuildError> {
    config.connector = connector(&settings.route)?;
    if let Some(path) = &settings.route.unix_socket {
        if !cfg!(unix) {
            let why = "this system has no Unix sockets";
            return Err(BuildError::new("unix_socket", why));
        }
        if !settings.route.proxy.is_empty() {
            let why = "a Unix socket cannot be reached through a proxy: set only one of them";
            return Err(BuildError::new("unix_socket", why));
        }
        config = config.unix_socket(path);
    }
    for rule in &settings.route.connect_to {
        config = config.connect_to(rule.clone());
    }
    if !settings.route.private_addresses && !settings.route.proxy.is_empty() {
        let why =
            "a proxy looks names up itself, so addresses cannot be checked: set only one of them";
        return Err(BuildError::new("private_addresses", why));
    }
    config = config.private_addresses(settings.route.private_addresses);
    check_socks(&settings.route.proxy)?;
    let mut connect = HeaderMap::new();
    if let Some(agent) = settings.headers.get(USER_AGENT) {
        connect.insert(USER_AGENT, agent.clone());
    }
    if let Some(resolver) = &settings.route.resolver {
        config.resolver = resolver.clone();
    }
    config
        .local_address
        .clone_from(&settings.route.local_address);
    config.tcp_keepalive = settings.route.tcp_keepalive;
    config.tcp_nodelay = settings.route.tcp_nodelay;
    Ok(config
        .address_family(settings.route.address_family)
        .proxy(settings.route.proxy.clone())
        .proxy_headers(connect, settings.route.proxy_headers.clone())
        .proxy_tunnel(settings.route.proxy_tunnel))
}

/// What opens connections, if the caller does.
fn connector(route: &RouteSettings) -> Result<Option<Arc<dyn Connector>>, BuildError> {
    let mut others = route.clone();
    let connector = others.connector.take();
    others.connect_to.clear();
    others.dns_ttl = RouteSettings::default().dns_ttl;
    match others.first_changed() {
        Some(setting) if connector.is_some() => {
            let why = "connections are opened by the `connector`: set only one of them";
            Err(BuildError::new(setting, why))
        }
        _ => Ok(connector),
    }
}

#[cfg(feature = "socks")]
fn check_socks(_: &ProxyRules) -> Result<(), BuildError> {
    Ok(())
}

/// # Errors
///
/// If http or https URLs go through a SOCKS proxy.
#[cfg(not(feature = "socks"))]
fn check_socks(rules: &ProxyRules) -> Result<(), BuildError> {
    for url in ["http://example.com/", "https://example.com/"] {
        let url = url.parse().expect("a valid URL");
        let Some(proxy) = rules.choose(&url) else {
            continue;
        };
        if proxy.kind() != ProxyKind::Http {
            let why = format!("{proxy}: built without the feature `socks`");
            return Err(BuildError::new("proxy", why));
        }
    }
    Ok(())
}

#[cfg(feature = "tls")]
fn with_tls(config: HttpConfig, settings: &Settings) -> Result<HttpConfig, BuildError> {
    let tls = &settings.tls;
    let only_added = tls.trusted_roots == TrustedRoots::None;
    if only_added && tls.ca_certificates.is_empty() && !tls.insecure {
        let why = "no CA is trusted: add one with `ca_certificate`";
        return Err(BuildError::new("trusted_roots", why));
    }
    let mut options = TlsOptions::new()
        .client_config(custom_config(settings)?)
        .key_log(tls.key_log)
        .min_version(tls.min_version)
        .only_extra_roots(only_added)
        .insecure(settings.tls.insecure)
        .pinned_keys(settings.tls.pinned_keys.iter().copied())
        .version(settings.tls.version);
    for pem in &settings.tls.ca_certificates {
        let added = options.add_root_pem(pem);
        options = added.map_err(|error| BuildError::new("ca_certificate", error.to_string()))?;
    }
    if let Some(ClientIdentity { cert_pem, key_pem }) = &settings.tls.client_certificate {
        let added = options.client_certificate(cert_pem, key_pem);
        options =
            added.map_err(|error| BuildError::new("client_certificate", error.to_string()))?;
    }
    if let TrustedRoots::Platform | TrustedRoots::PlatformOrBuiltIn = tls.trusted_roots {
        options.verifier = platform_verifier(&config, tls.trusted_roots, &options)?;
    }
    Ok(config.tls(options))
}

/// The verifier of the system, which the fetcher's threads share.
#[cfg(feature = "platform-verifier")]
fn platform_verifier(
    config: &HttpConfig,
    roots: TrustedRoots,
    options: &TlsOptions,
) -> Result<Option<Arc<dyn ServerCertVerifier>>, BuildError> {
    use crate::connect::platform_verifier::{PlatformOrBuiltIn, platform_verifier};

    let shared = config.shared.as_ref().map(|shared| &shared.platform);
    if let Some(verifier) = shared.and_then(|shared| shared.get()) {
        return Ok(Some(verifier.clone()));
    }
    let extra = options.extra_roots.clone();
    let verifier: Arc<dyn ServerCertVerifier> = match roots {
        TrustedRoots::PlatformOrBuiltIn => Arc::new(PlatformOrBuiltIn::new(extra)),
        _ => platform_verifier(&extra)
            .map_err(|error| BuildError::new("trusted_roots", error.to_string()))?,
    };
    Ok(Some(match shared {
        Some(shared) => shared.get_or_init(|| verifier).clone(),
        None => verifier,
    }))
}

#[cfg(all(feature = "tls", not(feature = "platform-verifier")))]
fn platform_verifier(
    _: &HttpConfig,
    _: TrustedRoots,
    _: &TlsOptions,
) -> Result<Option<Arc<dyn ServerCertVerifier>>, BuildError> {
    let why = "built without the feature `platform-verifier`";
    Err(BuildError::new("trusted_roots", why))
}

/// The caller's own configuration of rustls, which leaves no room for other settings.
#[cfg(feature = "tls")]
fn custom_config(settings: &Settings) -> Result<Option<Arc<rustls::ClientConfig>>, BuildError> {
    let mut others = settings.tls.clone();
    let Some(custom) = others.client_config.take() else {
        return Ok(None);
    };
    if let Some(setting) = others.first_changed() {
        let why = "`tls_config` replaces it: set only one of them";
        return Err(BuildError::new(setting, why));
    }
    match custom.downcast() {
        Some(config) => Ok(Some(config)),
        None => {
            let why = "it is not a `rustls::ClientConfig` of rustls 0.23";
            Err(BuildError::new("tls_config", why))
        }
    }
}

#[cfg(not(feature = "tls"))]
fn with_tls(config: HttpConfig, settings: &Settings) -> Result<HttpConfig, BuildError> {
    if settings.tls.first_changed().is_some() {
        return Err(BuildError::new("tls", "built without the feature `tls`"));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn idle_connections_leave_descriptors_to_others() {
        let mut settings = Settings::default();
        assert_eq!(max_connections(&settings, 100_000), 1_024);
        assert_eq!(max_connections(&settings, 1_024), 512);
        // The default is never less than twice the concurrency, and an explicit limit is not
        // reduced: exhausted descriptors are back-pressure.
        assert_eq!(max_connections(&settings, 256), 200);
        settings.pool.max_connections = Some(300);
        assert_eq!(max_connections(&settings, 256), 300);
    }

    #[derive(Debug)]
    struct NoConnections;

    impl Connector for NoConnections {
        fn connect(&self, _: &str, _: u16) -> fetch_driver::OpenedConnection {
            let error = std::io::ErrorKind::Unsupported.into();
            Box::pin(std::future::ready(Err(error)))
        }
    }

    #[test]
    fn a_connector_leaves_no_room_for_other_ways_to_connect() {
        let mut settings = Settings::default();
        settings.route.connector = Some(Arc::new(NoConnections));
        settings.route.connect_to.push(":::".parse().unwrap());
        assert!(HttpConfig::from_settings(&settings).is_ok());
        settings.route.unix_socket = Some("socket".into());
        let error = HttpConfig::from_settings(&settings).unwrap_err();
        assert!(error.to_string().starts_with("unix_socket: "), "{error}");
    }

    #[cfg(not(feature = "socks"))]
    #[test]
    fn a_socks_proxy_needs_the_feature() {
        for (proxy, is_allowed) in [("http://a.test", true), ("socks5h://a.test", false)] {
            let mut settings = Settings::default();
            let proxy = fetch_driver::Proxy::parse(proxy).unwrap();
            settings.route.proxy = ProxyRules::new().https(proxy);
            let config = HttpConfig::from_settings(&settings);
            assert_eq!(config.is_ok(), is_allowed);
            let text = config.err().map(|error| error.to_string());
            assert!(text.is_none_or(|text| text.contains("feature `socks`")));
        }
    }

    #[test]
    fn configs_from_the_same_settings_share_one_limit_until_one_sets_its_own() {
        let settings = Settings::default();
        let [a, b] = [(); 2].map(|()| HttpConfig::from_settings(&settings).unwrap());
        assert!(Arc::ptr_eq(&a.connection_limit(), &b.connection_limit()));
        let separate = b.max_connections(3);
        assert!(!Arc::ptr_eq(
            &a.connection_limit(),
            &separate.connection_limit()
        ));
    }
}
