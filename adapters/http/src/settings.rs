//! A fetcher's settings as this transport's options.

#[cfg(feature = "tls")]
use fetch_driver::Identity;
use fetch_driver::{BuildError, Http2, Settings};

use crate::config::Config;
use crate::connections::Connections;

impl Config {
    /// The options that `settings` ask for: what every adapter over this transport uses. Also raises
    /// the process's soft limit on open files: see [`raise_fd_limit`](crate::raise_fd_limit).
    ///
    /// ```
    /// let config = fetch_http::Config::from_settings(&fetch_driver::Settings::default())?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a certificate cannot be read, if HTTP/2 without TLS is asked for without the feature
    /// `http2`, if TLS is asked for without the feature `tls`, or if a
    /// Unix socket is asked for together with a proxy or on a system without them.
    pub fn from_settings(settings: &Settings) -> Result<Self, BuildError> {
        // A bulk fetcher soon needs more descriptors than the usual soft limit of 1,024. If it cannot
        // be raised, running out of them is back-pressure, so there is nothing to do about it here.
        let files = crate::connect::raise_fd_limit();
        let files = files.map_or(1_024, |files| usize::try_from(files).unwrap_or(usize::MAX));
        if settings.http2 == Http2::PriorKnowledge && !cfg!(feature = "http2") {
            return Err(BuildError::new(
                "http2",
                "built without the feature `http2`",
            ));
        }
        let mut config = Self::new()
            .decode(settings.decode)
            .dns_ttl(settings.dns_ttl)
            .http2(settings.http2)
            .idle_timeout(settings.idle_timeout)
            .max_connections(connections(settings, files));
        let most = config.max_connections;
        config.common = Some(settings.common.get_or_init(|| Connections::new(most)));
        config = with_routes(config, settings)?;
        for (host, port, addresses) in &settings.resolve {
            config = config.resolve(host, *port, addresses.iter().copied());
        }
        with_tls(config, settings)
    }
}

/// How many connections there may be where the process may have so many files open: idle ones that
/// nobody asked for leave half of them to others.
fn connections(settings: &Settings, files: usize) -> usize {
    let limit = settings.connection_limit();
    match settings.max_connections {
        Some(_) => limit,
        None => limit.min((files / 2).max(settings.concurrency.saturating_mul(2))),
    }
}

fn with_routes(mut config: Config, settings: &Settings) -> Result<Config, BuildError> {
    if let Some(path) = &settings.unix_socket {
        if !cfg!(unix) {
            let why = "this system has no Unix sockets";
            return Err(BuildError::new("unix_socket", why));
        }
        if !settings.proxy.is_empty() {
            let why = "a Unix socket cannot be reached through a proxy: set only one of them";
            return Err(BuildError::new("unix_socket", why));
        }
        config = config.unix_socket(path);
    }
    for rule in &settings.connect_to {
        config = config.connect_to(rule.clone());
    }
    Ok(config.proxy(settings.proxy.clone()))
}

#[cfg(feature = "tls")]
fn with_tls(config: Config, settings: &Settings) -> Result<Config, BuildError> {
    let mut options = crate::tls::TlsOptions::new().insecure(settings.insecure);
    for pem in &settings.ca_certificates {
        let added = options.add_root_pem(pem);
        options = added.map_err(|error| BuildError::new("ca_certificate", error.to_string()))?;
    }
    if let Some(Identity { cert_pem, key_pem }) = &settings.client_certificate {
        let added = options.client_certificate(cert_pem, key_pem);
        options =
            added.map_err(|error| BuildError::new("client_certificate", error.to_string()))?;
    }
    Ok(config.tls(options))
}

#[cfg(not(feature = "tls"))]
fn with_tls(config: Config, settings: &Settings) -> Result<Config, BuildError> {
    let client = settings.client_certificate.is_some();
    if settings.insecure || client || !settings.ca_certificates.is_empty() {
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
        assert_eq!(connections(&settings, 100_000), 1_024);
        assert_eq!(connections(&settings, 1_024), 512);
        // But what was asked for is kept to: running out is back-pressure.
        assert_eq!(connections(&settings, 256), 200);
        settings.max_connections = Some(300);
        assert_eq!(connections(&settings, 256), 300);
    }

    #[test]
    fn what_is_built_from_the_same_settings_has_one_bound_until_it_sets_another() {
        let settings = Settings::default();
        let [a, b] = [(); 2].map(|()| Config::from_settings(&settings).unwrap());
        assert!(Arc::ptr_eq(&a.connections(), &b.connections()));
        let alone = b.max_connections(3);
        assert!(!Arc::ptr_eq(&a.connections(), &alone.connections()));
    }
}
