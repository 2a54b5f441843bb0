//! The route to a URL's server: direct, through a proxy, or over a Unix socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fetch_driver::{ConnectTo, Proxy, ProxyKind, ProxyRules, TransportError};
use http::{HeaderMap, HeaderValue};
use url::Url;

use crate::origin::{Origin, OriginRef};

/// The settings that determine routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouteRules {
    pub(crate) connect_to: Vec<ConnectTo>,
    pub(crate) proxies: ProxyRules,
    /// The fields of requests that a proxy forwards, in addition to those for the server.
    pub(crate) proxy_headers: Arc<HeaderMap>,
    /// Whether http URLs go through tunnels, too.
    pub(crate) proxy_tunnel: bool,
    pub(crate) unix_socket: Option<PathBuf>,
}

/// The route to one URL's server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ConnectRoute<'a> {
    Direct,
    /// The HTTP proxy gets the whole URL and forwards the request.
    Forward(&'a Proxy),
    /// Through a SOCKS proxy.
    Socks(&'a Proxy),
    /// Through a tunnel that the HTTP proxy opens.
    Tunnel(&'a Proxy),
    Unix(&'a Path),
}

impl RouteRules {
    /// The route to the server of `url`. It depends on the origin alone.
    pub(crate) fn route(&self, url: &Url) -> ConnectRoute<'_> {
        if let Some(path) = &self.unix_socket {
            return ConnectRoute::Unix(path);
        }
        if self.proxies.is_empty() {
            return ConnectRoute::Direct;
        }
        let Some(proxy) = self.proxies.choose(url) else {
            return ConnectRoute::Direct;
        };
        match proxy.kind() {
            ProxyKind::Socks4 | ProxyKind::Socks4a | ProxyKind::Socks5 | ProxyKind::Socks5h => {
                ConnectRoute::Socks(proxy)
            }
            // A forwarding proxy would connect to the host in the URL, whatever `connect_to` says.
            _ if url.scheme() == "http"
                && !self.proxy_tunnel
                && self.connect_to_rule(url).is_none() =>
            {
                ConnectRoute::Forward(proxy)
            }
            _ => ConnectRoute::Tunnel(proxy),
        }
    }

    /// The key by which the pool finds a connection for `url`. The route follows from the origin, so it
    /// is no part of the key; but all origins behind a forwarding proxy have the same key.
    pub(crate) fn pool_key<'a>(&'a self, url: &'a Url) -> Result<OriginRef<'a>, TransportError> {
        let origin = OriginRef::from_url(url)?;
        Ok(match self.route(url) {
            ConnectRoute::Forward(proxy) => OriginRef {
                host: proxy.host(),
                port: proxy.port(),
                proxy: true,
                tls: false,
            },
            _ => origin,
        })
    }

    /// The origin that a new connection for `url` serves.
    pub(crate) fn origin(&self, url: &Url) -> Result<Origin, TransportError> {
        let key = self.pool_key(url)?;
        match self.route(url) {
            ConnectRoute::Forward(proxy) => {
                let headers = self.proxy_headers.clone();
                Ok(Origin::proxy(key, proxy_authorization(proxy), headers))
            }
            _ => Origin::server(key, url),
        }
    }

    /// The host and port to connect to for `origin`.
    pub(crate) fn target<'a>(&'a self, origin: OriginRef<'a>) -> (&'a str, u16) {
        let (host, port) = (origin.host, origin.port);
        let mut rules = self.connect_to.iter();
        let applied = rules.find_map(|rule| rule.apply(host, port));
        applied.unwrap_or((host, port))
    }

    fn connect_to_rule(&self, url: &Url) -> Option<&ConnectTo> {
        let (host, port) = (url.host_str()?, url.port_or_known_default()?);
        let mut rules = self.connect_to.iter();
        rules.find(|rule| rule.apply(host, port).is_some())
    }
}

/// The value of `Proxy-Authorization` for an HTTP proxy (RFC 7617).
pub(crate) fn proxy_authorization(proxy: &Proxy) -> Option<HeaderValue> {
    let (user, password) = proxy.credentials()?;
    let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::try_from(text).expect("base64 is valid in a header field");
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(proxy: &str, connect_to: &[&str]) -> RouteRules {
        let proxy = Proxy::parse(proxy).unwrap();
        let rules = ProxyRules::new().all(proxy).no_proxy("direct.test");
        RouteRules {
            connect_to: connect_to
                .iter()
                .map(|rule| rule.parse().unwrap())
                .collect(),
            proxies: rules.unwrap(),
            ..RouteRules::default()
        }
    }

    fn key(routes: &RouteRules, url: &str) -> String {
        let url = url.parse().unwrap();
        format!("{:?}", routes.pool_key(&url).unwrap())
    }

    #[test]
    fn only_http_origins_behind_a_proxy_share_connections() {
        let routes = routes("http://proxy.test:80", &[]);
        let a = key(&routes, "http://a.test/");
        assert_eq!(a, key(&routes, "http://b.test:81/"));
        // The proxy as an origin server is a different key, too.
        let direct = RouteRules::default();
        assert_ne!(a, key(&direct, "http://proxy.test/"));
        assert_ne!(key(&routes, "http://direct.test/"), a);
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tunnels_are_not_shared() {
        let routes = routes("http://proxy.test:80", &[]);
        assert_ne!(
            key(&routes, "https://a.test/"),
            key(&routes, "https://b.test/")
        );
        assert_ne!(
            key(&routes, "https://a.test/"),
            key(&routes, "http://a.test/")
        );
    }

    #[test]
    fn a_connect_to_rule_needs_a_tunnel() {
        let routes = routes("http://proxy.test", &["a.test:80:b.test:81"]);
        let route = |url: &str| format!("{:?}", routes.route(&url.parse().unwrap()));
        assert!(route("http://a.test/").starts_with("Tunnel"));
        assert!(route("http://c.test/").starts_with("Forward"));
    }

    #[test]
    fn a_tunnel_can_be_asked_for() {
        let mut routes = routes("http://proxy.test", &[]);
        routes.proxy_tunnel = true;
        let route = format!("{:?}", routes.route(&"http://a.test/".parse().unwrap()));
        assert!(route.starts_with("Tunnel"));
    }

    #[test]
    fn credentials_are_encoded_per_rfc_7617_and_sensitive() {
        let proxy = Proxy::parse("http://us%40er:pa%3Ass@proxy.test").unwrap();
        let value = proxy_authorization(&proxy).unwrap();
        assert_eq!(value, "Basic dXNAZXI6cGE6c3M=");
        assert!(value.is_sensitive());
    }
}
