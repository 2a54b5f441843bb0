//! isahc's client, with all decisions of its own off.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fetch_client::refuse;
use fetch_driver::{BuildError, Settings, TransportError};
use isahc::HttpClient;
use isahc::config::{Configurable, ExpectContinue, RedirectPolicy, VersionNegotiation};
use isahc::net::dns::{DnsCache, ResolveMap};

use crate::descriptors;
use crate::error;
use crate::route::Routes;

/// curl gives up connecting after 300 s unless it is told otherwise; this is never.
const NEVER: Duration = Duration::from_secs(86_400);

/// How clients are made.
#[derive(Debug)]
pub(crate) struct Options {
    dns_ttl: Duration,
    #[cfg(all(feature = "tls", target_os = "linux"))]
    _identity: Option<crate::identity::Files>,
    resolve: ResolveMap,
    pub(crate) routes: Routes,
    #[cfg(feature = "tls")]
    tls: isahc::tls::TlsConfig,
}

impl Options {
    /// The options that `settings` ask for; what isahc cannot do is refused.
    pub(crate) fn new(settings: &Settings) -> Result<Self, BuildError> {
        refuse(settings)?;
        let cannot = |setting, why| Err(BuildError::new(setting, why));
        descriptors::check(settings)?;
        let certified = settings.tls.client_certificate.is_some();
        let needs_tls =
            settings.tls.insecure || certified || !settings.tls.ca_certificates.is_empty();
        if cfg!(not(feature = "tls")) && needs_tls {
            return cannot("tls", "built without the feature `tls`");
        }
        if cfg!(not(target_os = "linux")) && certified {
            let why =
                "isahc's TLS takes it from a file only, which needs Linux to be one in memory";
            return cannot("client_certificate", why);
        }
        #[cfg(all(feature = "tls", target_os = "linux"))]
        let identity = settings.tls.client_certificate.as_ref();
        #[cfg(all(feature = "tls", target_os = "linux"))]
        let identity = identity.map(crate::identity::Files::new).transpose()?;
        let mut resolve = ResolveMap::new();
        for (host, port, addresses) in &settings.route.resolve {
            let [address] = addresses[..] else {
                return cannot("resolve", "isahc takes exactly one address for a host");
            };
            resolve = resolve.add(host, *port, address);
        }
        Ok(Self {
            dns_ttl: settings.route.dns_ttl,
            resolve,
            routes: Routes::new(settings)?,
            #[cfg(all(feature = "tls", target_os = "linux"))]
            tls: match &identity {
                Some(files) => tls(settings).identity(files.identity()).build(),
                None => tls(settings).build(),
            },
            #[cfg(all(feature = "tls", not(target_os = "linux")))]
            tls: tls(settings).build(),
            #[cfg(all(feature = "tls", target_os = "linux"))]
            _identity: identity,
        })
    }

    /// A new client, with a thread of its own.
    pub(crate) fn client(&self) -> Result<Client, TransportError> {
        let dns = match self.dns_ttl {
            Duration::ZERO => DnsCache::Disable,
            ttl => DnsCache::Timeout(ttl),
        };
        let builder = HttpClient::builder()
            .automatic_decompression(false)
            .connect_timeout(NEVER)
            .connection_cache_size(1)
            .dns_cache(dns)
            .dns_resolve(self.resolve.clone())
            .expect_continue(ExpectContinue::disabled())
            .metrics(true)
            .proxy(None)
            .redirect_policy(RedirectPolicy::None)
            .tcp_nodelay()
            .version_negotiation(VersionNegotiation::http11());
        #[cfg(feature = "tls")]
        let builder = builder.tls_config(self.tls.clone());
        let client = builder.build().map_err(|e| error::told(&e))?;
        Ok(Client {
            client: Some(client),
            last: Mutex::default(),
        })
    }
}

#[cfg(feature = "tls")]
fn tls(settings: &Settings) -> isahc::tls::TlsConfigBuilder {
    let builtin = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let store = isahc::tls::TrustStore::builder();
    let store = builtin.fold(store, |store, der| store.certificate_from_der(der));
    // A bundle is text: the line before must be over.
    let own = settings.tls.ca_certificates.iter();
    let store = own.fold(store, |store, pem| {
        store.certificate_from_pem(b"\n").certificate_from_pem(pem)
    });
    isahc::tls::TlsConfig::builder()
        .danger_accept_invalid_certs(settings.tls.insecure)
        .danger_accept_invalid_hosts(settings.tls.insecure)
        .trust_store(store.build())
}

/// An isahc client that serves one request at a time.
#[derive(Debug)]
pub struct Client {
    client: Option<HttpClient>,
    /// This end of its connection, by which to tell whether the same one was used again.
    last: Mutex<Option<SocketAddr>>,
}

impl Client {
    pub(crate) fn get(&self) -> Option<&HttpClient> {
        self.client.as_ref()
    }

    /// Whether the connection from `local` is the one of the last request.
    pub(crate) fn same_as_last(&self, local: Option<SocketAddr>) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let same = local.is_some() && *last == local;
        *last = local;
        same
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It waits for the end of its thread, which may be resolving a name: not for the driver.
        if let Some(client) = self.client.take() {
            blocking::unblock(move || drop(client)).detach();
        }
    }
}
