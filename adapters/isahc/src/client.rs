//! isahc's clients, configured to leave all decisions to the fetcher.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use fetch_driver::{BuildError, LocalAddress, Settings, TlsVersion, TransportError, TrustedRoots};
use fetch_transport_util::lock;
use isahc::HttpClient;
use isahc::config::{Configurable, ExpectContinue, RedirectPolicy, VersionNegotiation};
use isahc::net::dns::{DnsCache, ResolveMap};
#[cfg(unix)]
use isahc::net::interface;
#[cfg(feature = "tls")]
use isahc::tls::ProtocolVersion;

use crate::descriptors;
use crate::error;
use crate::route::RequestRoutes;

/// By default curl stops connecting after 300 s. This limit is never reached.
const NO_CONNECT_TIMEOUT: Duration = Duration::from_secs(86_400);

/// Creates isahc clients with the settings of a fetcher.
#[derive(Debug)]
pub struct IsahcClientFactory {
    dns_ttl: Duration,
    #[cfg(all(feature = "tls", target_os = "linux"))]
    _identity: Option<crate::identity::IdentityFiles>,
    local_address: Option<LocalAddress>,
    resolve: ResolveMap,
    pub(crate) routes: RequestRoutes,
    #[cfg(feature = "tls")]
    tls: isahc::tls::TlsConfig,
}

impl IsahcClientFactory {
    /// A factory with these settings. A setting that isahc cannot apply is an error.
    pub(crate) fn new(settings: &Settings) -> Result<Self, BuildError> {
        let cannot = |setting, reason| Err(BuildError::new(setting, reason));
        descriptors::check_limit(settings)?;
        let has_identity = settings.tls.client_certificate.is_some();
        if cfg!(not(feature = "tls")) && settings.tls.first_changed().is_some() {
            return cannot("tls", "built without the feature `tls`");
        }
        let mut tls = settings.tls.clone();
        tls.ca_certificates.clear();
        (tls.client_certificate, tls.insecure) = (None, false);
        (tls.min_version, tls.version) = (TlsVersion::default(), None);
        if tls.trusted_roots == TrustedRoots::None {
            if settings.tls.ca_certificates.is_empty() && !settings.tls.insecure {
                let reason = "no CA is trusted: add one with `ca_certificate`";
                return cannot("trusted_roots", reason);
            }
            tls.trusted_roots = TrustedRoots::default();
        }
        if let Some(setting) = tls.first_changed() {
            let reason = "isahc does not do it: take the adapter for smol or tokio";
            return cannot(setting, reason);
        }
        if cfg!(not(target_os = "linux")) && has_identity {
            let reason =
                "isahc's TLS takes it from a file only, which needs Linux to be one in memory";
            return cannot("client_certificate", reason);
        }
        #[cfg(all(feature = "tls", target_os = "linux"))]
        let identity = settings.tls.client_certificate.as_ref();
        #[cfg(all(feature = "tls", target_os = "linux"))]
        let identity = identity
            .map(crate::identity::IdentityFiles::new)
            .transpose()?;
        let mut resolve = ResolveMap::new();
        for (host, port, addresses) in &settings.route.resolve {
            let [address] = addresses[..] else {
                return cannot("resolve", "isahc takes exactly one address for a host");
            };
            resolve = resolve.add(host, *port, address);
        }
        Ok(Self {
            dns_ttl: settings.route.dns_ttl,
            local_address: settings.route.local_address.clone(),
            resolve,
            routes: RequestRoutes::new(settings)?,
            #[cfg(all(feature = "tls", target_os = "linux"))]
            tls: match &identity {
                Some(files) => tls_config(settings).identity(files.identity()).build(),
                None => tls_config(settings).build(),
            },
            #[cfg(all(feature = "tls", not(target_os = "linux")))]
            tls: tls_config(settings).build(),
            #[cfg(all(feature = "tls", target_os = "linux"))]
            _identity: identity,
        })
    }

    /// Creates a client, which has a separate thread.
    pub(crate) fn create(&self) -> Result<IsahcClient, TransportError> {
        let dns = match self.dns_ttl {
            Duration::ZERO => DnsCache::Disable,
            ttl => DnsCache::Timeout(ttl),
        };
        let builder = HttpClient::builder()
            .automatic_decompression(false)
            .connect_timeout(NO_CONNECT_TIMEOUT)
            .connection_cache_size(1)
            .dns_cache(dns)
            .dns_resolve(self.resolve.clone())
            .expect_continue(ExpectContinue::disabled())
            .metrics(true)
            .proxy(None)
            .redirect_policy(RedirectPolicy::None)
            .version_negotiation(VersionNegotiation::http11());
        let builder = match &self.local_address {
            Some(LocalAddress::Address(ip)) => builder.interface(*ip),
            #[cfg(unix)]
            Some(LocalAddress::Interface(name)) => builder.interface(interface::Name(name)),
            _ => builder,
        };
        #[cfg(feature = "tls")]
        let builder = builder.tls_config(self.tls.clone());
        let client = builder.build().map_err(|e| error::convert(&e))?;
        Ok(IsahcClient {
            client: Some(client),
            last_local_addr: Mutex::default(),
        })
    }
}

#[cfg(feature = "tls")]
fn tls_config(settings: &Settings) -> isahc::tls::TlsConfigBuilder {
    let builtin: &[_] = match settings.tls.trusted_roots {
        TrustedRoots::None => &[],
        _ => webpki_root_certs::TLS_SERVER_ROOT_CERTS,
    };
    let store = isahc::tls::TrustStore::builder();
    let store = builtin
        .iter()
        .fold(store, |store, der| store.certificate_from_der(der));
    // The bundle is one text, so each certificate must start on a new line.
    let callers = settings.tls.ca_certificates.iter();
    let store = callers.fold(store, |store, pem| {
        store.certificate_from_pem(b"\n").certificate_from_pem(pem)
    });
    let protocol = |version| match version {
        TlsVersion::Tls13 => ProtocolVersion::Tlsv13,
        _ => ProtocolVersion::Tlsv12,
    };
    let (min, max) = match settings.tls.version {
        Some(version) => (version, version),
        None => (settings.tls.min_version, TlsVersion::Tls13),
    };
    isahc::tls::TlsConfig::builder()
        .min_version(protocol(min))
        .max_version(protocol(max))
        .danger_accept_invalid_certs(settings.tls.insecure)
        .danger_accept_invalid_hosts(settings.tls.insecure)
        .trust_store(store.build())
}

/// An isahc client that carries one request at a time.
#[derive(Debug)]
pub struct IsahcClient {
    /// `None` only while it is dropped.
    client: Option<HttpClient>,
    /// The local address of the last request's connection.
    last_local_addr: Mutex<Option<SocketAddr>>,
}

impl IsahcClient {
    pub(crate) fn get(&self) -> Option<&HttpClient> {
        self.client.as_ref()
    }

    /// Records the local address of a request's connection. Returns whether it is the connection of
    /// the previous request.
    pub(crate) fn replace_local_addr(&self, local: Option<SocketAddr>) -> bool {
        let mut last = lock(&self.last_local_addr);
        let is_same = local.is_some() && *last == local;
        *last = local;
        is_same
    }
}

impl Drop for IsahcClient {
    fn drop(&mut self) {
        // Dropping a client waits for the end of its thread, which may be resolving a name. That
        // must not block the driver.
        if let Some(client) = self.client.take() {
            blocking::unblock(move || drop(client)).detach();
        }
    }
}
