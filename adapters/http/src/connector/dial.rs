//! Dialing: opens a stream to the server along a route.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use fetch_driver::{AttemptPhase, AttemptProgress, FailureKind, Proxy, TransportError};

use super::Connector;
use crate::connect::exhaustion::is_exhausted;
use crate::connect::route::ConnectRoute;
use crate::connect::{race, tunnel};
use crate::error::describe;
use crate::io::byte_stream::ReadinessCached;
use crate::io::runtime::HttpRuntime;
use crate::origin::OriginRef;

/// A stream to the server, and the peer's address: that of the proxy, if there is one.
pub(super) type DialedStream<R> = (
    ReadinessCached<<R as HttpRuntime>::Stream>,
    Option<SocketAddr>,
);

impl<R: HttpRuntime> Connector<R> {
    /// Connects to `origin` on `route`, and marks when the addresses are known.
    pub(super) async fn dial(
        &self,
        origin: OriginRef<'_>,
        route: ConnectRoute<'_>,
        progress: &AttemptProgress,
    ) -> Result<DialedStream<R>, TransportError> {
        let (host, port) = self.config.routes.target(origin);
        match route {
            ConnectRoute::Direct => {
                let addrs = self.resolve(host, port).await?;
                progress.mark(AttemptPhase::Resolved);
                self.connect(addrs, || format!("to {origin}")).await
            }
            // Boxed: most connections do not need this state.
            ConnectRoute::Forward(proxy) => Box::pin(self.dial_proxy(proxy, progress)).await,
            ConnectRoute::Socks(proxy) => {
                Box::pin(self.dial_socks(proxy, host, port, progress)).await
            }
            ConnectRoute::Tunnel(proxy) => {
                Box::pin(self.dial_tunnel(proxy, host, port, progress)).await
            }
            ConnectRoute::Unix(path) => {
                progress.mark(AttemptPhase::Resolved);
                let stream = Box::pin(self.dial_unix(path)).await?;
                Ok((ReadinessCached::new(stream), None))
            }
        }
    }

    async fn dial_tunnel(
        &self,
        proxy: &Proxy,
        host: &str,
        port: u16,
        progress: &AttemptProgress,
    ) -> Result<DialedStream<R>, TransportError> {
        let (mut stream, remote) = self.dial_proxy(proxy, progress).await?;
        let authority = format!("{host}:{port}");
        let max_head = self.config.max_head;
        let opened = tunnel::open_tunnel(&mut stream, proxy, &authority, max_head).await;
        opened.map_err(|error| {
            let text = format!("to {authority} through the proxy {proxy}");
            describe(FailureKind::Connect, text, error)
        })?;
        Ok((stream, remote))
    }

    pub(super) async fn dial_proxy(
        &self,
        proxy: &Proxy,
        progress: &AttemptProgress,
    ) -> Result<DialedStream<R>, TransportError> {
        let addrs = self.resolve(proxy.host(), proxy.port()).await?;
        progress.mark(AttemptPhase::Resolved);
        self.connect(addrs, || format!("to the proxy {proxy}"))
            .await
    }

    #[cfg(not(feature = "socks"))]
    async fn dial_socks(
        &self,
        proxy: &Proxy,
        _: &str,
        _: u16,
        _: &AttemptProgress,
    ) -> Result<DialedStream<R>, TransportError> {
        let text = format!("the proxy {proxy} needs the feature `socks`");
        Err(TransportError::new(FailureKind::Unsupported, text))
    }

    async fn dial_unix(&self, path: &Path) -> Result<R::Stream, TransportError> {
        self.runtime.connect_unix(path).await.map_err(|error| {
            let kind = if is_exhausted(&error) {
                self.pool.close_idle();
                FailureKind::Exhausted
            } else if error.kind() == io::ErrorKind::Unsupported {
                FailureKind::Unsupported
            } else {
                FailureKind::Connect
            };
            let text = format!("to the Unix socket {}", path.display());
            describe(kind, text, error)
        })
    }

    /// Connects to the first address that answers.
    async fn connect(
        &self,
        addrs: Vec<SocketAddr>,
        target: impl Fn() -> String,
    ) -> Result<DialedStream<R>, TransportError> {
        let connected = race::connect_any(&self.runtime, addrs).await;
        let (stream, remote) = connected.map_err(|error| {
            if error.is_exhausted() {
                self.pool.close_idle();
                describe(
                    FailureKind::Exhausted,
                    format!("connecting {}", target()),
                    error,
                )
            } else {
                describe(FailureKind::Connect, target(), error)
            }
        })?;
        Ok((ReadinessCached::new(stream), Some(remote)))
    }

    /// The addresses of a host as written in a URL, in the order to try them.
    pub(super) async fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, TransportError> {
        let with_port = |ip: &IpAddr| SocketAddr::new(*ip, port);
        if let Some(ip) = parse_ip(host) {
            return Ok(vec![with_port(&ip)]);
        }
        if !self.config.overrides.is_empty() {
            let override_ = self.config.overrides.get(&(host.to_owned(), port));
            if let Some(ips) = override_.filter(|ips| !ips.is_empty()) {
                return Ok(ips.iter().map(with_port).collect());
            }
        }
        match self.dns.lookup(host).await {
            Ok(ips) => Ok(ips.iter().map(with_port).collect()),
            Err(error) => {
                let kind = if is_exhausted(&error) {
                    self.pool.close_idle();
                    FailureKind::Exhausted
                } else {
                    FailureKind::Resolve
                };
                Err(describe(kind, format!("looking up `{host}`"), error))
            }
        }
    }
}

/// The address, if the host of a URL is one.
pub(super) fn parse_ip(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}
