//! A new connection, up to the point where it speaks HTTP.

use std::sync::Arc;

use fetch_driver::{AttemptProgress, ConnectionInfo, FailureKind, TransportError};
use url::Url;

use super::Connector;
use super::dial::{DialedPeer, DialedStream};
use crate::connect::dns::is_unknown_host;
use crate::error::describe;
use crate::http1::H1Connection;
#[cfg(feature = "http2")]
use crate::http2::{self, StreamLease};
use crate::io::byte_stream::{ByteStream, ReadinessCached};
use crate::io::runtime::HttpRuntime;
#[cfg(feature = "tls")]
use crate::io::tls_stream::TlsStream;
use crate::origin::Origin;
use crate::pool::limit::ConnectionPermit;

/// The connection or stream over which a request is sent.
pub(crate) enum AcquiredConnection {
    /// An HTTP/1.1 connection.
    Exclusive(Box<H1Connection>),
    /// A stream of an HTTP/2 connection.
    #[cfg(feature = "http2")]
    Shared(StreamLease),
}

impl<R: HttpRuntime> Connector<R> {
    /// Resolves the host, connects, through a proxy if one is set, and does the TLS handshake.
    /// Marks each step.
    pub(super) async fn open(
        &self,
        url: &Url,
        permit: ConnectionPermit,
        progress: &AttemptProgress,
    ) -> Result<AcquiredConnection, TransportError> {
        let routes = &self.config.routes;
        let origin = Arc::new(routes.origin(url)?);
        if let Some(connector) = &self.config.connector {
            return Box::pin(self.open_with(&**connector, origin, permit, progress)).await;
        }
        #[cfg(feature = "tls")]
        if origin.key().tls {
            // Boxed, like other large futures that most connections do not need, because many
            // connections may be opening at once.
            return Box::pin(self.open_tls(origin, url, permit, progress)).await;
        }
        let DialedStream { stream, peer } =
            self.dial(origin.key(), routes.route(url), progress).await?;
        self.start_plain(stream, origin, peer, permit, progress)
            .await
    }

    /// Opens a connection by the caller's connector, and does the TLS handshake over it.
    async fn open_with(
        &self,
        connector: &dyn fetch_driver::Connector,
        origin: Arc<Origin>,
        permit: ConnectionPermit,
        progress: &AttemptProgress,
    ) -> Result<AcquiredConnection, TransportError> {
        let (host, port) = self.config.routes.target(origin.key());
        let stream = connector.connect(host, port).await.map_err(|error| {
            let kind = match is_unknown_host(&error) {
                true => FailureKind::UnknownHost,
                false => FailureKind::Connect,
            };
            describe(kind, format!("to {}", origin.key()), error)
        })?;
        progress.mark(fetch_driver::AttemptPhase::Resolved);
        let stream = ReadinessCached::new(stream);
        #[cfg(feature = "tls")]
        if origin.key().tls {
            progress.mark_connected(DialedPeer::info(None));
            let (tls, host) = (self.tls(origin.key()), origin.key().host);
            let stream = crate::connect::tls::handshake(tls, host, stream).await?;
            return self.start_tls(stream, origin, None, permit, progress).await;
        }
        self.start_plain(stream, origin, None, permit, progress)
            .await
    }

    /// Starts to use a connection without TLS.
    async fn start_plain<S: ByteStream + 'static>(
        &self,
        stream: S,
        origin: Arc<Origin>,
        peer: Option<DialedPeer>,
        permit: ConnectionPermit,
        progress: &AttemptProgress,
    ) -> Result<AcquiredConnection, TransportError> {
        let info = DialedPeer::info(peer.as_ref());
        progress.mark_connected(info.clone());
        // Without TLS there is no negotiation: HTTP/2 needs prior knowledge.
        let is_http2 = self.may_share(origin.key());
        #[cfg(feature = "http2")]
        let is_http2 = is_http2 && !self.is_http1_required(origin.key());
        self.start(stream, is_http2, origin, (info, peer), permit)
            .await
    }

    /// Connects and does the TLS handshake, which negotiates the protocol. If the handshake fails at
    /// one of several addresses, the next one follows.
    #[cfg(feature = "tls")]
    async fn open_tls(
        &self,
        origin: Arc<Origin>,
        url: &Url,
        permit: ConnectionPermit,
        progress: &AttemptProgress,
    ) -> Result<AcquiredConnection, TransportError> {
        let mut failed = 0;
        let (stream, peer) = loop {
            let route = self.config.routes.route(url);
            let DialedStream { stream, peer } = self.dial(origin.key(), route, progress).await?;
            progress.mark_connected(DialedPeer::info(peer.as_ref()));
            let (tls, host) = (self.tls(origin.key()), origin.key().host);
            match crate::connect::tls::handshake(tls, host, stream).await {
                Ok(stream) => break (stream, peer),
                Err(error) => {
                    let trial = peer.and_then(|peer| peer.trial);
                    let others = trial.map_or(0, |trial| trial.others);
                    if error.kind() != FailureKind::Tls || failed >= others {
                        return Err(error);
                    }
                    failed += 1;
                }
            }
        };
        self.start_tls(stream, origin, peer, permit, progress).await
    }

    /// Starts to use a connection after the TLS handshake.
    #[cfg(feature = "tls")]
    async fn start_tls<S: ByteStream + 'static>(
        &self,
        stream: TlsStream<S>,
        origin: Arc<Origin>,
        peer: Option<DialedPeer>,
        permit: ConnectionPermit,
        progress: &AttemptProgress,
    ) -> Result<AcquiredConnection, TransportError> {
        progress.mark(fetch_driver::AttemptPhase::TlsDone);
        let certificates = crate::connect::tls::peer_certificates(&stream);
        progress.mark_certificates(certificates.clone());
        let info = DialedPeer::info(peer.as_ref()).with_certificates(certificates);
        let is_http2 = crate::connect::tls::has_negotiated_http2(&stream);
        self.start(stream, is_http2, origin, (info, peer), permit)
            .await
    }

    async fn start<S>(
        &self,
        stream: S,
        is_http2: bool,
        origin: Arc<Origin>,
        (info, peer): (ConnectionInfo, Option<DialedPeer>),
        permit: ConnectionPermit,
    ) -> Result<AcquiredConnection, TransportError>
    where
        S: ByteStream + 'static,
    {
        self.start_sweeper();
        let connect_time = peer.as_ref().map(|peer| peer.connect_time);
        let trial = peer.and_then(|peer| peer.trial);
        #[cfg(feature = "http2")]
        if is_http2 {
            let place = (self.pool.h2(), permit);
            let max_head = self.config.max_head;
            let started = http2::start(&self.runtime, stream, origin, info, trial, place, max_head);
            return Ok(AcquiredConnection::Shared(Box::pin(started).await?));
        } else if self.may_share(origin.key()) {
            self.pool.h2().remember_http1(&origin);
        }
        let _ = is_http2;
        let queue = self.pool.sweep_queue();
        let mut conn = H1Connection::new(stream, origin, info, queue, permit);
        (conn.connect_time, conn.trial) = (connect_time, trial);
        Ok(AcquiredConnection::Exclusive(conn))
    }
}

#[cfg(all(test, feature = "async-io"))]
mod tests {
    use std::io;
    use std::net::SocketAddr;
    use std::time::Duration;

    use fetch_driver::Clock;

    use super::*;
    use crate::{AsyncIoSocket, HttpConfig};

    #[derive(Clone)]
    struct Smol;

    impl HttpRuntime for Smol {
        type Stream = AsyncIoSocket;

        async fn connect(&self, addr: SocketAddr) -> io::Result<AsyncIoSocket> {
            AsyncIoSocket::connect(addr).await
        }

        fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {}

        async fn sleep(&self, _: Duration) {}
    }

    #[test]
    fn opening_a_connection_takes_at_most_1_kib() {
        let connector = Connector::new(Smol, HttpConfig::new());
        let progress = AttemptProgress::new(Clock::start());
        let url = "http://a.test/".parse().unwrap();
        let permit = connector.pool.reserve_or_evict().unwrap();
        let opening = connector.open(&url, permit, &progress);
        assert!(size_of_val(&opening) <= 1024);
    }
}
