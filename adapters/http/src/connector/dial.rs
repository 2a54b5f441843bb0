//! Dialing: opens a stream to the server along a route.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use fetch_driver::{
    AddressFamily, AttemptPhase, AttemptProgress, ConnectionInfo, FailureKind, FailureReason,
    Proxy, ProxyKind, TransportError,
};

use super::Connector;
use crate::connect::addresses::AddressTrial;
use crate::connect::dns::is_unknown_host;
use crate::connect::exhaustion::is_exhausted;
use crate::connect::private_addresses::is_private;
use crate::connect::route::ConnectRoute;
use crate::connect::{race, tunnel};
use crate::error::describe;
use crate::io::byte_stream::ReadinessCached;
use crate::io::runtime::{HttpRuntime, HttpStream as _};
use crate::origin::OriginRef;

/// A stream to the server.
pub(super) struct DialedStream<S> {
    pub(super) stream: ReadinessCached<S>,
    /// The peer: the server, or the proxy if there is one. None for a Unix socket.
    pub(super) peer: Option<DialedPeer>,
}

/// The other end of a TCP connection.
pub(super) struct DialedPeer {
    pub(super) addr: SocketAddr,
    /// How long connecting took: at least a round trip.
    pub(super) connect_time: Duration,
    pub(super) local: Option<SocketAddr>,
    pub(super) trial: Option<Box<AddressTrial>>,
}

impl DialedPeer {
    /// The connection to the peer as reported; `None` for a Unix socket.
    pub(super) fn info(peer: Option<&Self>) -> ConnectionInfo {
        let remote = peer.map(|peer| peer.addr);
        ConnectionInfo::new(remote, false).with_local(peer.and_then(|peer| peer.local))
    }
}

impl<R: HttpRuntime> Connector<R> {
    /// Connects to `origin` on `route`, and marks when the addresses are known.
    pub(super) async fn dial(
        &self,
        origin: OriginRef<'_>,
        route: ConnectRoute<'_>,
        progress: &AttemptProgress,
    ) -> Result<DialedStream<R::Stream>, TransportError> {
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
                let (stream, peer) = (ReadinessCached::new(stream), None);
                Ok(DialedStream { stream, peer })
            }
        }
    }

    async fn dial_tunnel(
        &self,
        proxy: &Proxy,
        host: &str,
        port: u16,
        progress: &AttemptProgress,
    ) -> Result<DialedStream<R::Stream>, TransportError> {
        let checked = self.verdicts.check(proxy, &self.runtime).await;
        let first = checked
            .map_err(|text| TransportError::new(FailureKind::ProxyRefused, text.to_string()))
            .map_err(|error| error.with_reason(FailureReason::ProxyTunnel))?;
        let mut dialed = self.dial_proxy(proxy, progress).await?;
        let authority = format!("{host}:{port}");
        let (headers, max_head) = (&self.config.connect_headers, self.config.max_head);
        let opening = tunnel::open_tunnel(&mut dialed.stream, proxy, &authority, headers, max_head);
        let opened = opening.await;
        match opened {
            Err(error) if error.is_unauthorized() => {
                let text = format!("through the proxy {proxy}: {error}");
                if self.verdicts.refuse(proxy, &text) {
                    log::warn!(
                        target: "fetch_http",
                        "no connection {text}; it is not asked again, and all URLs through it fail"
                    );
                }
                let error = TransportError::new(FailureKind::ProxyRefused, text);
                Err(error.with_reason(FailureReason::ProxyTunnel))
            }
            Err(error) => {
                let kind = match error.is_final() {
                    true => FailureKind::ProxyRefused,
                    false => FailureKind::Connect,
                };
                let text = format!("to {authority} through the proxy {proxy}");
                if let (Some(first), true) = (first, error.is_answer()) {
                    first.accept();
                }
                Err(describe(kind, text, error).with_reason(FailureReason::ProxyTunnel))
            }
            Ok(()) => {
                if let Some(first) = first {
                    first.accept();
                }
                Ok(dialed)
            }
        }
    }

    pub(super) async fn dial_proxy(
        &self,
        proxy: &Proxy,
        progress: &AttemptProgress,
    ) -> Result<DialedStream<R::Stream>, TransportError> {
        let addrs = self.resolve(proxy.host(), proxy.port()).await;
        let addrs = addrs.map_err(|error| match (proxy.kind(), error.kind()) {
            (ProxyKind::Http, FailureKind::Resolve | FailureKind::UnknownHost) => {
                error.with_reason(FailureReason::ProxyName)
            }
            _ => error,
        })?;
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
    ) -> Result<DialedStream<R::Stream>, TransportError> {
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

    /// Connects to the first address that answers, and to those that failed lately last.
    async fn connect(
        &self,
        addrs: Vec<SocketAddr>,
        target: impl Fn() -> String,
    ) -> Result<DialedStream<R::Stream>, TransportError> {
        let mut addrs = race::interleave_families(addrs);
        self.failed_addresses.sort(&mut addrs);
        let (count, started) = (addrs.len(), Instant::now());
        let local = self.config.local_address.as_ref();
        let first = addrs.first().copied();
        let connected = race::connect_any(&self.runtime, addrs, local).await;
        let (stream, addr) = connected.map_err(|error| {
            if error.is_exhausted() {
                self.pool.close_idle();
                describe(
                    FailureKind::Exhausted,
                    format!("connecting {}", target()),
                    error,
                )
            } else {
                if let Some(first) = first {
                    self.answer_times.record_failure(first, Instant::now());
                }
                // A target that is an address is not named twice.
                let target = target();
                match error.into_sole(&target) {
                    Ok(error) => describe(FailureKind::Connect, target, error),
                    Err(error) => describe(FailureKind::Connect, target, error),
                }
            }
        })?;
        if self.config.tcp_keepalive.is_some() || !self.config.tcp_nodelay {
            let set = stream.set_tcp_options(self.config.tcp_keepalive, self.config.tcp_nodelay);
            set.map_err(|error| describe(FailureKind::Connect, "setting options of TCP", error))?;
        }
        let stream = ReadinessCached::new(stream);
        let peer = DialedPeer {
            addr,
            local: stream.local_addr(),
            connect_time: started.elapsed(),
            trial: self.failed_addresses.watch(addr, count),
        };
        Ok(DialedStream {
            stream,
            peer: Some(peer),
        })
    }

    /// The addresses of a host as written in a URL, in the order to try them. Those of names belong to
    /// the family that is set, and private ones are left out if they are forbidden.
    pub(super) async fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, TransportError> {
        let literal = parse_ip(host);
        let chosen = match self.config.overrides.is_empty() {
            true => None,
            false => self.config.overrides.get(&(host.to_owned(), port)),
        };
        let mut ips = match (chosen.filter(|ips| !ips.is_empty()), literal) {
            (Some(chosen), _) => chosen.clone(),
            (None, Some(ip)) => self.without_private(host, vec![ip])?,
            (None, None) => self.without_private(host, self.lookup(host).await?)?,
        };
        let family = self.config.address_family;
        if literal.is_none() {
            ips.retain(|ip| family.includes(*ip));
        }
        if ips.is_empty() {
            // The answer will be the same again.
            let version = if family == AddressFamily::Ipv4 { 4 } else { 6 };
            let text = format!("`{host}` has no IPv{version} address");
            return Err(TransportError::new(FailureKind::UnknownHost, text));
        }
        let ips = ips.into_iter();
        Ok(ips.map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// Leaves out private addresses if they are forbidden.
    ///
    /// # Errors
    ///
    /// If none is left.
    fn without_private(
        &self,
        host: &str,
        mut ips: Vec<IpAddr>,
    ) -> Result<Vec<IpAddr>, TransportError> {
        let first = ips.first().copied();
        if !self.config.private_addresses {
            ips.retain(|ip| !is_private(*ip));
        }
        match first {
            Some(first) if ips.is_empty() => {
                let text = match parse_ip(host) {
                    Some(ip) => ip.to_string(),
                    None => format!("`{host}` is at {first}"),
                };
                Err(TransportError::new(FailureKind::PrivateAddress, text))
            }
            _ => Ok(ips),
        }
    }

    async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, TransportError> {
        if is_local_name(host) {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let found = self.dns.lookup(host).await;
        found.map(|ips| ips.to_vec()).map_err(|error| {
            let kind = if is_exhausted(&error) {
                self.pool.close_idle();
                FailureKind::Exhausted
            } else if is_unknown_host(&error) {
                FailureKind::UnknownHost
            } else {
                FailureKind::Resolve
            };
            describe(kind, format!("looking up `{host}`"), error)
        })
    }
}

/// Whether this is a name below `localhost`, which names this machine without DNS (RFC 6761, section
/// 6.3). `localhost` itself is left to the system, which may know more of it.
fn is_local_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let (_, last) = host.rsplit_once('.').unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

/// The address, if the host of a URL is one.
pub(super) fn parse_ip(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}
