//! surf's clients, configured to leave all decisions to the fetcher.

use std::convert::Infallible;

use fetch_driver::{BuildError, Settings, TrustedRoots};

/// A surf client with one connection, which carries one request at a time.
#[derive(Clone, Debug)]
pub struct SurfClient(pub(crate) surf::Client);

/// Creates surf clients with the settings of a fetcher.
#[derive(Debug)]
pub struct SurfClientFactory {
    config: surf::Config,
}

impl SurfClientFactory {
    /// A factory with these settings. A setting that surf cannot apply is an error.
    pub(crate) fn new(settings: &Settings) -> Result<Self, BuildError> {
        let mut route = settings.route.clone();
        route.dns_ttl = Settings::default().route.dns_ttl;
        if let Some(setting) = route.first_changed() {
            let reason = "surf cannot do it: take the adapter for smol or tokio";
            return Err(BuildError::new(setting, reason));
        }
        let mut tls = settings.tls.clone();
        tls.ca_certificates.clear();
        (tls.client_certificate, tls.insecure) = (None, false);
        // It trusts what the system trusts, in any case.
        if tls.trusted_roots != TrustedRoots::None {
            tls.trusted_roots = TrustedRoots::default();
        }
        if let Some(setting) = tls.first_changed() {
            let reason = "surf cannot do it: take the adapter for smol or tokio";
            return Err(BuildError::new(setting, reason));
        }
        let ttl = settings.route.dns_ttl;
        if !ttl.is_zero() && ttl != Settings::default().route.dns_ttl {
            let reason = "surf keeps no DNS answers: use 0";
            return Err(BuildError::new("dns_ttl", reason));
        }
        let config = surf::Config::new()
            .set_max_connections_per_host(1)
            .set_tcp_no_delay(true)
            .set_timeout(None);
        Ok(Self {
            config: set_tls(config, settings)?,
        })
    }

    /// Creates a client. It uses few resources until it connects.
    pub(crate) fn create(&self) -> SurfClient {
        let client: Result<surf::Client, Infallible> = self.config.clone().try_into();
        match client {
            Ok(client) => SurfClient(client),
            Err(never) => match never {},
        }
    }
}

#[cfg(feature = "tls")]
fn set_tls(config: surf::Config, settings: &Settings) -> Result<surf::Config, BuildError> {
    let mut tls = async_native_tls::TlsConnector::new()
        .danger_accept_invalid_certs(settings.tls.insecure)
        .danger_accept_invalid_hostnames(settings.tls.insecure);
    for pem in &settings.tls.ca_certificates {
        let certificate = async_native_tls::Certificate::from_pem(pem);
        let certificate =
            certificate.map_err(|e| BuildError::new("ca_certificate", e.to_string()))?;
        tls = tls.add_root_certificate(certificate);
    }
    if let Some(own) = &settings.tls.client_certificate {
        let identity = async_native_tls::Identity::from_pkcs8(&own.cert_pem, &own.key_pem);
        let identity =
            identity.map_err(|e| BuildError::new("client_certificate", e.to_string()))?;
        tls = tls.identity(identity);
    }
    Ok(config.set_tls_config(Some(std::sync::Arc::new(tls))))
}

#[cfg(not(feature = "tls"))]
fn set_tls(config: surf::Config, settings: &Settings) -> Result<surf::Config, BuildError> {
    if settings.tls.first_changed().is_some() {
        return Err(BuildError::new("tls", "built without the feature `tls`"));
    }
    Ok(config)
}
