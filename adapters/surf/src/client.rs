//! surf's client, with all decisions of its own off.

use std::convert::Infallible;

use fetch_client::refuse;
use fetch_driver::{BuildError, Settings};

/// A surf client with one connection, which serves one request at a time.
#[derive(Clone, Debug)]
pub struct Client(pub(crate) surf::Client);

/// How clients are made.
#[derive(Debug)]
pub(crate) struct Options {
    config: surf::Config,
}

impl Options {
    /// The options that `settings` ask for; what surf cannot do is refused.
    pub(crate) fn new(settings: &Settings) -> Result<Self, BuildError> {
        refuse(settings)?;
        let asked = [
            ("connect_to", !settings.route.connect_to.is_empty()),
            ("proxy", !settings.route.proxy.is_empty()),
            ("resolve", !settings.route.resolve.is_empty()),
            ("unix_socket", settings.route.unix_socket.is_some()),
        ];
        if let Some((setting, _)) = asked.into_iter().find(|(_, asked)| *asked) {
            return Err(BuildError::new(
                setting,
                "surf cannot do it: take the adapter for smol or tokio",
            ));
        }
        let ttl = settings.route.dns_ttl;
        if !ttl.is_zero() && ttl != Settings::default().route.dns_ttl {
            let why = "surf keeps no DNS answers: use 0";
            return Err(BuildError::new("dns_ttl", why));
        }
        let config = surf::Config::new()
            .set_max_connections_per_host(1)
            .set_tcp_no_delay(true)
            .set_timeout(None);
        Ok(Self {
            config: with_tls(config, settings)?,
        })
    }

    /// A new client, which is cheap as long as it has no connection.
    pub(crate) fn client(&self) -> Client {
        let made: Result<surf::Client, Infallible> = self.config.clone().try_into();
        match made {
            Ok(client) => Client(client),
            Err(never) => match never {},
        }
    }
}

#[cfg(feature = "tls")]
fn with_tls(config: surf::Config, settings: &Settings) -> Result<surf::Config, BuildError> {
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
fn with_tls(config: surf::Config, settings: &Settings) -> Result<surf::Config, BuildError> {
    if settings.tls.first_changed().is_some() {
        return Err(BuildError::new("tls", "built without the feature `tls`"));
    }
    Ok(config)
}
