//! Dialling: from a route to a stream that leads to the server.

use std::net::{IpAddr, SocketAddr};

use fetch_driver::{Failure, Marks, Phase, Proxy, ProxyKind, TransportError};

use crate::connect;
use crate::error::told;
use crate::origin::OriginRef;
use crate::proxy::Route;
use crate::proxy_tunnel;
use crate::runtime::Runtime;
use crate::socks::{self, Target};
use crate::transport::Inner;

/// A stream to the server, and the address at its other end: the proxy's, if there is one.
pub(crate) type Dialled<R> = (<R as Runtime>::Stream, Option<SocketAddr>);

impl<R: Runtime> Inner<R> {
    /// Connects to `origin` by `route`, and marks when the addresses are known.
    pub(crate) async fn dial(
        &self,
        origin: OriginRef<'_>,
        route: Route<'_>,
        marks: &Marks,
    ) -> Result<Dialled<R>, TransportError> {
        let (host, port) = self.config.routes.target(origin);
        match route {
            Route::Direct => {
                let addrs = self.addresses(host, port).await?;
                marks.mark(Phase::Resolved);
                self.connect(addrs, || format!("to {origin}")).await
            }
            // Boxed: most connections need not carry these along.
            Route::Forward(proxy) => Box::pin(self.dial_proxy(proxy, marks)).await,
            Route::Socks(proxy) => Box::pin(self.dial_socks(proxy, host, port, marks)).await,
            Route::Tunnel(proxy) => Box::pin(self.dial_tunnel(proxy, host, port, marks)).await,
            Route::Unix(path) => {
                marks.mark(Phase::Resolved);
                let stream = Box::pin(self.dial_unix(path)).await?;
                Ok((stream, None))
            }
        }
    }

    async fn dial_tunnel(
        &self,
        proxy: &Proxy,
        host: &str,
        port: u16,
        marks: &Marks,
    ) -> Result<Dialled<R>, TransportError> {
        let (mut stream, remote) = self.dial_proxy(proxy, marks).await?;
        let authority = format!("{host}:{port}");
        let max_head = self.config.max_head;
        let opened = proxy_tunnel::open(&mut stream, proxy, &authority, max_head).await;
        opened.map_err(|error| {
            let text = format!("to {authority} through the proxy {proxy}");
            told(Failure::Connect, text, error)
        })?;
        Ok((stream, remote))
    }

    async fn dial_proxy(&self, proxy: &Proxy, marks: &Marks) -> Result<Dialled<R>, TransportError> {
        let addrs = self.addresses(proxy.host(), proxy.port()).await?;
        marks.mark(Phase::Resolved);
        self.connect(addrs, || format!("to the proxy {proxy}"))
            .await
    }

    async fn dial_socks(
        &self,
        proxy: &Proxy,
        host: &str,
        port: u16,
        marks: &Marks,
    ) -> Result<Dialled<R>, TransportError> {
        let targets: Vec<_> = match literal(host) {
            Some(ip) => vec![Target::Addr(SocketAddr::new(ip, port))],
            None if proxy.kind() == ProxyKind::Socks5h => vec![Target::Name(host, port)],
            None => {
                let addrs = self.addresses(host, port).await?;
                addrs.into_iter().map(Target::Addr).collect()
            }
        };
        let mut refusal = None;
        for target in targets {
            // A SOCKS connection is of no use after a refusal.
            let (stream, remote) = self.dial_proxy(proxy, marks).await?;
            match socks::open(stream, proxy, target).await {
                Ok(stream) => return Ok((stream, remote)),
                Err(error) => {
                    let go_on = socks::is_about_target(&error);
                    refusal = Some(error);
                    if !go_on {
                        break;
                    }
                }
            }
        }
        let why = refusal.map_or_else(|| "no address".into(), |error| socks::explain(&error));
        let text = format!("to {host}:{port} through the proxy {proxy}: {why}");
        Err(TransportError::new(Failure::Connect, text))
    }

    /// Connects to the first address that answers.
    async fn connect(
        &self,
        addrs: Vec<SocketAddr>,
        to: impl Fn() -> String,
    ) -> Result<Dialled<R>, TransportError> {
        let connected = connect::race(&self.runtime, addrs).await;
        let (stream, remote) = connected.map_err(|error| {
            if error.is_exhausted() {
                self.pool.clear();
                told(Failure::Exhausted, format!("connecting {}", to()), error)
            } else {
                told(Failure::Connect, to(), error)
            }
        })?;
        Ok((stream, Some(remote)))
    }

    /// The addresses to try for a host as it is in a URL, in order.
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, TransportError> {
        let at_port = |ip: &IpAddr| SocketAddr::new(*ip, port);
        if let Some(ip) = literal(host) {
            return Ok(vec![at_port(&ip)]);
        }
        if !self.config.overrides.is_empty() {
            let known = self.config.overrides.get(&(host.to_owned(), port));
            if let Some(ips) = known.filter(|ips| !ips.is_empty()) {
                return Ok(ips.iter().map(at_port).collect());
            }
        }
        match self.dns.lookup(host).await {
            Ok(ips) => Ok(ips.iter().map(at_port).collect()),
            Err(error) => {
                let exhausted = connect::is_exhausted(&error);
                if exhausted {
                    self.pool.clear();
                }
                let kind = if exhausted {
                    Failure::Exhausted
                } else {
                    Failure::Resolve
                };
                Err(told(kind, format!("looking up `{host}`"), error))
            }
        }
    }
}

/// The address that a URL's host is, if it is one.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}
