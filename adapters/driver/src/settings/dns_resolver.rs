//! How the names of hosts are looked up.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

/// The future of a [`DnsResolver`].
pub type ResolvedAddresses = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Looks up the addresses of hosts, in place of the system: DNS over HTTPS, a service registry, a table
/// for tests. See [`Builder::resolver`](crate::Builder::resolver).
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
///
/// use fetch_driver::{DnsResolver, ResolvedAddresses};
///
/// #[derive(Debug)]
/// struct FixedResolver(IpAddr);
///
/// impl DnsResolver for FixedResolver {
///     fn resolve(&self, _: &str) -> ResolvedAddresses {
///         Box::pin(std::future::ready(Ok(vec![self.0])))
///     }
/// }
///
/// let resolver = FixedResolver(Ipv4Addr::LOCALHOST.into());
/// let builder = fetch_smol::Fetcher::builder().resolver(resolver);
/// ```
pub trait DnsResolver: fmt::Debug + Send + Sync + 'static {
    /// The addresses of `host`, best first. The future runs on the fetcher's runtime, and must not
    /// block. Concurrent lookups of a name share one call, and answers are cached
    /// ([`Builder::dns_ttl`](crate::Builder::dns_ttl)).
    ///
    /// # Errors
    ///
    /// If the host has no address. The error is cached for at most 5 s. An error of the kind
    /// [`NotFound`](io::ErrorKind::NotFound) without an OS error code says that the name does not
    /// exist: by default it is not retried, other errors are.
    fn resolve(&self, host: &str) -> ResolvedAddresses;
}

impl DnsResolver for Arc<dyn DnsResolver> {
    fn resolve(&self, host: &str) -> ResolvedAddresses {
        (**self).resolve(host)
    }
}
