//! A fetcher's settings as this transport's options.

use fetch_driver::{BuildError, Settings};

use crate::config::Config;

impl Config {
    /// The options that `settings` ask for: what every adapter over this transport uses.
    ///
    /// ```
    /// let config = fetch_http::Config::from_settings(&fetch_driver::Settings::default())?;
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a CA certificate cannot be read, or if TLS is asked for without the feature `tls`.
    pub fn from_settings(settings: &Settings) -> Result<Self, BuildError> {
        let mut config = Self::new()
            .decode(settings.decode)
            .dns_ttl(settings.dns_ttl)
            .idle_timeout(settings.idle_timeout)
            .max_connections(settings.connection_limit());
        for (host, port, addresses) in &settings.resolve {
            config = config.resolve(host, *port, addresses.iter().copied());
        }
        with_tls(config, settings)
    }
}

#[cfg(feature = "tls")]
fn with_tls(config: Config, settings: &Settings) -> Result<Config, BuildError> {
    let mut options = crate::tls::TlsOptions::new().insecure(settings.insecure);
    for pem in &settings.ca_certificates {
        let added = options.add_root_pem(pem);
        options = added.map_err(|error| BuildError::new("ca_certificate", error.to_string()))?;
    }
    Ok(config.tls(options))
}

#[cfg(not(feature = "tls"))]
fn with_tls(config: Config, settings: &Settings) -> Result<Config, BuildError> {
    if settings.insecure || !settings.ca_certificates.is_empty() {
        return Err(BuildError::new("tls", "built without the feature `tls`"));
    }
    Ok(config)
}
