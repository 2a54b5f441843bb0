//! Routes to servers: direct, to another address, through a proxy, or over a Unix socket.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use fetch_driver::{
    AddressFamily, BuildError, ConnectTo, LocalAddress, Proxy, ProxyRules, Settings,
};
use http::Uri;
use isahc::auth::{Authentication, Credentials};
use isahc::config::Configurable;
use isahc::net::{Dialer, IpVersion};
use url::Url;

/// The routes of requests.
#[derive(Debug)]
pub(crate) struct RequestRoutes {
    address_family: AddressFamily,
    connect_to: Vec<ConnectTo>,
    proxies: ProxyRules,
    unix_socket: Option<PathBuf>,
}

impl RequestRoutes {
    /// The routes of these settings. A setting that isahc cannot apply is an error.
    pub(crate) fn new(settings: &Settings) -> Result<Self, BuildError> {
        let cannot = |setting, reason| Err(BuildError::new(setting, reason));
        if settings.route.unix_socket.is_some() && cfg!(not(unix)) {
            return cannot("unix_socket", "this system has no Unix sockets");
        }
        if settings.route.unix_socket.is_some() && !settings.route.proxy.is_empty() {
            let reason = "a Unix socket cannot be reached through a proxy: set only one of them";
            return cannot("unix_socket", reason);
        }
        let route = &settings.route;
        let unsupported = [
            ("connector", route.connector.is_some()),
            ("private_addresses", !route.private_addresses),
            ("proxy_headers", !route.proxy_headers.is_empty()),
            ("proxy_tunnel", route.proxy_tunnel),
            ("resolver", route.resolver.is_some()),
            ("tcp_keepalive", route.tcp_keepalive.is_some()),
            ("tcp_nodelay", !route.tcp_nodelay),
        ];
        if let Some((setting, _)) = unsupported.into_iter().find(|(_, is_set)| *is_set) {
            return cannot(
                setting,
                "isahc does not do it: take the adapter for smol or tokio",
            );
        }
        let has_name = |rule: &ConnectTo| rule.to_host().and_then(parse_ip).is_none();
        if settings.route.connect_to.iter().any(has_name) {
            let reason = "isahc can connect to another address, not to another name: give HOST2 as an \
                       address, or take the adapter for smol or tokio";
            return cannot("connect_to", reason);
        }
        if matches!(route.local_address, Some(LocalAddress::Interface(_))) && cfg!(not(unix)) {
            return cannot("local_address", "curl can use the interfaces of Unix only");
        }
        Ok(Self {
            address_family: route.address_family,
            connect_to: settings.route.connect_to.clone(),
            proxies: settings.route.proxy.clone(),
            unix_socket: settings.route.unix_socket.clone(),
        })
    }

    /// The proxy for `url`.
    pub(crate) fn proxy(&self, url: &Url) -> Option<&Proxy> {
        self.proxies.choose(url)
    }

    /// Sets the route of a request to `url`.
    pub(crate) fn apply<C: Configurable>(&self, url: &Url, request: C) -> Result<C, http::Error> {
        let (proxy, rule) = (self.proxy(url), self.connect_to(url));
        let request = request.dial(self.dialer(rule));
        let host = match proxy {
            Some(proxy) => Some(proxy.host()),
            None => rule.map(|(host, _)| host).or_else(|| url.host_str()),
        };
        // An address is used as it is: the family chooses among those of a name.
        let is_name = host.is_some_and(|host| parse_ip(host).is_none());
        let request = match self.address_family {
            AddressFamily::Ipv4 if is_name => request.ip_version(IpVersion::V4),
            AddressFamily::Ipv6 if is_name => request.ip_version(IpVersion::V6),
            _ => request,
        };
        let Some(proxy) = proxy else {
            return Ok(request);
        };
        let request = request.proxy(Some(proxy.to_string().parse::<Uri>()?));
        Ok(match proxy.credentials() {
            None => request,
            Some((user, password)) => request
                .proxy_authentication(Authentication::basic())
                .proxy_credentials(Credentials::new(user, password)),
        })
    }

    /// Where to connect instead of to the URL's host and port, if a rule says so.
    fn connect_to<'a>(&'a self, url: &'a Url) -> Option<(&'a str, u16)> {
        let (host, port) = url.host_str().zip(url.port_or_known_default())?;
        self.connect_to
            .iter()
            .find_map(|rule| rule.apply(host, port))
    }

    fn dialer(&self, rule: Option<(&str, u16)>) -> Dialer {
        #[cfg(unix)]
        if let Some(path) = &self.unix_socket {
            return Dialer::unix_socket(path);
        }
        let address = rule.and_then(|(host, port)| Some(SocketAddr::new(parse_ip(host)?, port)));
        address.map_or_else(Dialer::default, Dialer::ip_socket)
    }
}

/// The IP address, if the host of a URL is one.
fn parse_ip(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok()
}
