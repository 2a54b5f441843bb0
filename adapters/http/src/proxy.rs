//! The way to a URL's server: straight, through a proxy, or over a Unix socket.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fetch_driver::{ConnectTo, Proxy, ProxyKind, ProxyRules, TransportError};
use http::HeaderValue;
use url::Url;

use crate::origin::{Origin, OriginRef};

/// What decides on the way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {
    pub(crate) connect_to: Vec<ConnectTo>,
    pub(crate) proxies: ProxyRules,
    pub(crate) unix_socket: Option<PathBuf>,
}

/// The way to one URL's server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route<'a> {
    Direct,
    /// The proxy is asked for the whole URL, and passes the request on.
    Forward(&'a Proxy),
    /// The proxy speaks SOCKS5.
    Socks(&'a Proxy),
    /// The proxy opens a tunnel.
    Tunnel(&'a Proxy),
    Unix(&'a Path),
}

impl Routes {
    /// The way to the server of `url`: the same one each time.
    pub(crate) fn route(&self, url: &Url) -> Route<'_> {
        if let Some(path) = &self.unix_socket {
            return Route::Unix(path);
        }
        if self.proxies.is_empty() {
            return Route::Direct;
        }
        let Some(proxy) = self.proxies.choose(url) else {
            return Route::Direct;
        };
        match proxy.kind() {
            ProxyKind::Socks5 | ProxyKind::Socks5h => Route::Socks(proxy),
            // A proxy that reads the URL would go to the host in it, not to the one we want.
            _ if url.scheme() == "http" && self.rule(url).is_none() => Route::Forward(proxy),
            _ => Route::Tunnel(proxy),
        }
    }

    /// What the pool finds a connection for `url` by. The way need not be a part of it, as it
    /// follows from the origin; but all origins behind a proxy that passes requests on are one.
    pub(crate) fn key<'a>(&'a self, url: &'a Url) -> Result<OriginRef<'a>, TransportError> {
        let origin = OriginRef::of(url)?;
        Ok(match self.route(url) {
            Route::Forward(proxy) => OriginRef {
                host: proxy.host(),
                port: proxy.port(),
                proxy: true,
                tls: false,
            },
            _ => origin,
        })
    }

    /// What a new connection for `url` is good for.
    pub(crate) fn origin(&self, url: &Url) -> Result<Origin, TransportError> {
        let key = self.key(url)?;
        match self.route(url) {
            Route::Forward(proxy) => Ok(Origin::proxy(key, authorization(proxy))),
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

    fn rule(&self, url: &Url) -> Option<&ConnectTo> {
        let (host, port) = (url.host_str()?, url.port_or_known_default()?);
        let mut rules = self.connect_to.iter();
        rules.find(|rule| rule.apply(host, port).is_some())
    }
}

/// The `Proxy-Authorization` field for an HTTP proxy (RFC 7617).
pub(crate) fn authorization(proxy: &Proxy) -> Option<HeaderValue> {
    let (user, password) = proxy.credentials()?;
    let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::try_from(text).expect("base64 is valid in a header field");
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(proxy: &str, connect_to: &[&str]) -> Routes {
        let proxy = Proxy::parse(proxy).unwrap();
        let rules = ProxyRules::new().all(proxy).no_proxy("direct.test");
        Routes {
            connect_to: connect_to
                .iter()
                .map(|rule| rule.parse().unwrap())
                .collect(),
            proxies: rules.unwrap(),
            unix_socket: None,
        }
    }

    fn key(routes: &Routes, url: &str) -> String {
        let url = url.parse().unwrap();
        format!("{:?}", routes.key(&url).unwrap())
    }

    #[test]
    fn http_origins_behind_a_proxy_share_connections_and_others_do_not() {
        let routes = routes("http://proxy.test:80", &[]);
        let a = key(&routes, "http://a.test/");
        assert_eq!(a, key(&routes, "http://b.test:81/"));
        // Not even with the proxy's own pages, asked for directly.
        let direct = Routes::default();
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
    fn another_place_to_connect_to_asks_for_a_tunnel() {
        let routes = routes("http://proxy.test", &["a.test:80:b.test:81"]);
        let route = |url: &str| format!("{:?}", routes.route(&url.parse().unwrap()));
        assert!(route("http://a.test/").starts_with("Tunnel"));
        assert!(route("http://c.test/").starts_with("Forward"));
    }

    #[test]
    fn credentials_are_sent_as_rfc_7617_says_and_not_shown() {
        let proxy = Proxy::parse("http://us%40er:pa%3Ass@proxy.test").unwrap();
        let value = authorization(&proxy).unwrap();
        assert_eq!(value, "Basic dXNAZXI6cGE6c3M=");
        assert!(value.is_sensitive());
    }
}
