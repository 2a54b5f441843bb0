//! How servers are reached.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::connect_to::ConnectTo;
use super::connector::Connector;
use super::dns_resolver::DnsResolver;
use super::local_address::{AddressFamily, LocalAddress};
use super::proxy_rules::ProxyRules;

/// How servers are reached: DNS, proxies, sockets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouteSettings {
    /// The IP versions that connections to host names may use. Default: both.
    pub address_family: AddressFamily,
    /// Where to connect instead of the URL's host and port. The first rule that applies is used.
    pub connect_to: Vec<ConnectTo>,
    /// What opens connections. Default: `None`, the adapter.
    pub connector: Option<Arc<dyn Connector>>,
    /// How long DNS answers are cached. Default 300 s.
    pub dns_ttl: Duration,
    /// The local end of connections. Default: the system chooses it.
    pub local_address: Option<LocalAddress>,
    /// Whether servers at private addresses may be reached: loopback, private networks, link-local,
    /// metadata services of clouds. If not, the addresses of each host are checked after they are
    /// known, for each redirect too; those of [`resolve`](Self::resolve) are always allowed. A proxy
    /// cannot be combined with it, because the proxy looks names up. Default: true.
    pub private_addresses: bool,
    /// Which proxy serves which URL. Default: none.
    pub proxy: ProxyRules,
    /// Header fields that only HTTP proxies get: with `CONNECT`, and with requests that they forward.
    /// Default: none, except that `CONNECT` has the `User-Agent` of all requests.
    pub proxy_headers: HeaderMap,
    /// Whether http URLs, too, go through a tunnel of an HTTP proxy, as https URLs do. Default no.
    pub proxy_tunnel: bool,
    /// Addresses to use for a host name and port instead of asking DNS.
    pub resolve: Vec<(String, u16, Vec<IpAddr>)>,
    /// What looks names up. Default: `None`, the system.
    pub resolver: Option<Arc<dyn DnsResolver>>,
    /// How long a TCP connection is silent before the system asks whether the peer is still there, and the
    /// pause between such questions. Default: `None`, never.
    pub tcp_keepalive: Option<Duration>,
    /// Whether small packets are sent at once, without Nagle's algorithm. Default: true.
    pub tcp_nodelay: bool,
    /// The Unix socket that all requests go to.
    pub unix_socket: Option<PathBuf>,
}

impl Default for RouteSettings {
    fn default() -> Self {
        Self {
            address_family: AddressFamily::default(),
            connect_to: Vec::new(),
            connector: None,
            dns_ttl: Duration::from_secs(300),
            local_address: None,
            private_addresses: true,
            proxy: ProxyRules::default(),
            proxy_headers: HeaderMap::new(),
            proxy_tunnel: false,
            resolve: Vec::new(),
            resolver: None,
            tcp_keepalive: None,
            tcp_nodelay: true,
            unix_socket: None,
        }
    }
}

impl RouteSettings {
    /// The name of a setting that differs from its default.
    ///
    /// ```
    /// let mut route = fetch_driver::Settings::default().route;
    /// route.proxy_tunnel = true;
    /// assert_eq!(route.first_changed(), Some("proxy_tunnel"));
    /// ```
    #[must_use]
    pub fn first_changed(&self) -> Option<&'static str> {
        let changed = [
            ("address_family", self.address_family != AddressFamily::Any),
            ("connect_to", !self.connect_to.is_empty()),
            ("connector", self.connector.is_some()),
            ("dns_ttl", self.dns_ttl != Self::default().dns_ttl),
            ("local_address", self.local_address.is_some()),
            ("private_addresses", !self.private_addresses),
            ("proxy", !self.proxy.is_empty()),
            ("proxy_headers", !self.proxy_headers.is_empty()),
            ("proxy_tunnel", self.proxy_tunnel),
            ("resolve", !self.resolve.is_empty()),
            ("resolver", self.resolver.is_some()),
            ("tcp_keepalive", self.tcp_keepalive.is_some()),
            ("tcp_nodelay", !self.tcp_nodelay),
            ("unix_socket", self.unix_socket.is_some()),
        ];
        let first = changed.into_iter().find(|(_, changed)| *changed);
        first.map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::proxy::Proxy;
    use super::*;

    #[derive(Debug)]
    struct NoNames;

    impl DnsResolver for NoNames {
        fn resolve(&self, _: &str) -> super::super::dns_resolver::ResolvedAddresses {
            Box::pin(std::future::ready(Ok(Vec::new())))
        }
    }

    impl Connector for NoNames {
        fn connect(&self, _: &str, _: u16) -> super::super::connector::OpenedConnection {
            let error = std::io::ErrorKind::Unsupported.into();
            Box::pin(std::future::ready(Err(error)))
        }
    }

    #[test]
    fn every_changed_setting_is_found_by_its_name() {
        type Change = fn(&mut RouteSettings);
        let table: [(Change, &str); 14] = [
            (
                |route| route.connector = Some(Arc::new(NoNames)),
                "connector",
            ),
            (|route| route.resolver = Some(Arc::new(NoNames)), "resolver"),
            (
                |route| route.address_family = AddressFamily::Ipv4,
                "address_family",
            ),
            (
                |route| route.local_address = "lo".parse().ok(),
                "local_address",
            ),
            (
                |route| {
                    let value = http::HeaderValue::from_static("b");
                    route.proxy_headers.insert("a", value);
                },
                "proxy_headers",
            ),
            (|route| route.proxy_tunnel = true, "proxy_tunnel"),
            (
                |route| route.connect_to.push(":::".parse().unwrap()),
                "connect_to",
            ),
            (|route| route.dns_ttl = Duration::ZERO, "dns_ttl"),
            (|route| route.private_addresses = false, "private_addresses"),
            (
                |route| route.proxy = ProxyRules::new().all(Proxy::parse("p").unwrap()),
                "proxy",
            ),
            (
                |route| route.resolve.push(("a".into(), 1, vec![])),
                "resolve",
            ),
            (
                |route| route.tcp_keepalive = Some(Duration::from_secs(9)),
                "tcp_keepalive",
            ),
            (|route| route.tcp_nodelay = false, "tcp_nodelay"),
            (|route| route.unix_socket = Some("s".into()), "unix_socket"),
        ];
        assert_eq!(RouteSettings::default().first_changed(), None);
        for (change, name) in table {
            let mut route = RouteSettings::default();
            change(&mut route);
            assert_eq!(route.first_changed(), Some(name));
        }
    }
}
