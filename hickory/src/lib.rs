#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use fetch_driver::{DnsResolver, ResolvedAddresses};
pub use hickory_resolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Resolver, ResolverBuilder, TokioResolver};
use rustls::ClientConfig;
use tokio::runtime::Runtime;

/// Looks names up by hickory, for [`Builder::resolver`](fetch_driver::Builder::resolver). Clones share a cache
/// and a thread.
#[derive(Clone)]
pub struct HickoryResolver {
    resolver: TokioResolver,
    runtime: Arc<BackgroundRuntime>,
}

impl HickoryResolver {
    /// The name servers of the system over UDP and TCP: those of `/etc/resolv.conf`, of the registry on Windows.
    ///
    /// ```
    /// use fetch_hickory::HickoryResolver;
    ///
    /// if let Ok(resolver) = HickoryResolver::system() {
    ///     let fetcher = fetch_smol::Fetcher::builder().resolver(resolver).build()?;
    /// }
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the system's configuration cannot be read.
    pub fn system() -> io::Result<Self> {
        let builder = Resolver::builder(TokioRuntimeProvider::default());
        Self::new(builder.map_err(io::Error::other)?)
    }

    /// DNS over HTTPS (RFC 8484) at these servers, usually on port 443, whose certificate has this name. The path
    /// is `/dns-query`. `tls` decides which authorities are trusted; by default those of Mozilla.
    ///
    /// ```
    /// use fetch_hickory::HickoryResolver;
    ///
    /// let resolver = HickoryResolver::https(["9.9.9.9:443".parse()?], "dns.quad9.net", None)?;
    /// let fetcher = fetch_smol::Fetcher::builder().resolver(resolver).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub fn https(
        servers: impl IntoIterator<Item = SocketAddr>,
        name: &str,
        tls: Option<ClientConfig>,
    ) -> io::Result<Self> {
        Self::encrypted(servers, &ConnectionConfig::https(name.into(), None), tls)
    }

    /// DNS over TLS (RFC 7858) at these servers, usually on port 853: otherwise like [`https`](Self::https).
    ///
    /// ```
    /// use fetch_hickory::HickoryResolver;
    ///
    /// let resolver = HickoryResolver::tls(["9.9.9.9:853".parse()?], "dns.quad9.net", None)?;
    /// let fetcher = fetch_smol::Fetcher::builder().resolver(resolver).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub fn tls(
        servers: impl IntoIterator<Item = SocketAddr>,
        name: &str,
        tls: Option<ClientConfig>,
    ) -> io::Result<Self> {
        Self::encrypted(servers, &ConnectionConfig::tls(name.into()), tls)
    }

    fn encrypted(
        servers: impl IntoIterator<Item = SocketAddr>,
        connection: &ConnectionConfig,
        tls: Option<ClientConfig>,
    ) -> io::Result<Self> {
        let servers = servers.into_iter().map(|server| {
            let mut connection = connection.clone();
            connection.port = server.port();
            NameServerConfig::new(server.ip(), true, vec![connection])
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        let builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        Self::new(match tls {
            Some(tls) => builder.with_tls_config(tls),
            None => builder,
        })
    }

    /// Any configuration of hickory. Addresses of both families are looked up, whatever its options say.
    ///
    /// ```
    /// use fetch_hickory::HickoryResolver;
    /// use fetch_hickory::hickory_resolver::Resolver;
    /// use fetch_hickory::hickory_resolver::config::{NameServerConfig, ResolverConfig};
    /// use fetch_hickory::hickory_resolver::net::runtime::TokioRuntimeProvider;
    ///
    /// let server = NameServerConfig::udp_and_tcp("192.0.2.53".parse()?);
    /// let config = ResolverConfig::from_name_servers(vec![server]);
    /// let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    /// builder.options_mut().attempts = 1;
    /// let resolver = HickoryResolver::new(builder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the configuration is not valid, or if no thread can be started.
    pub fn new(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("fetch-hickory")
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        let resolver = builder.build().map_err(io::Error::other)?;
        drop(entered);
        Ok(Self {
            resolver,
            runtime: Arc::new(BackgroundRuntime(Some(runtime))),
        })
    }
}

impl fmt::Debug for HickoryResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HickoryResolver").finish_non_exhaustive()
    }
}

impl DnsResolver for HickoryResolver {
    fn resolve(&self, host: &str) -> ResolvedAddresses {
        let (host, resolver) = (host.to_owned(), self.resolver.clone());
        let lookup = async move { resolver.lookup_ip(host).await };
        let lookup = self.runtime.0.as_ref().map(|runtime| runtime.spawn(lookup));
        Box::pin(async move {
            let lookup = lookup.ok_or(io::ErrorKind::BrokenPipe)?;
            match lookup.await.map_err(io::Error::other)? {
                Ok(found) => Ok(found.iter().collect()),
                Err(error) => Err(convert_error(error)),
            }
        })
    }
}

/// The error of a lookup. That a name does not exist is `NotFound`.
fn convert_error(error: NetError) -> io::Error {
    match error.is_nx_domain() {
        true => io::Error::new(io::ErrorKind::NotFound, error),
        false => io::Error::other(error),
    }
}

/// A runtime of tokio on its own thread. It may be dropped on another runtime.
struct BackgroundRuntime(Option<Runtime>);

impl Drop for BackgroundRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
