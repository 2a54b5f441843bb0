//! A new connection: from a URL's host to a task that serves it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use fetch_driver::{Connection, Failure, Marks, Phase, TransportError};
use url::{Host, Url};

use crate::conn::Conn;
use crate::connect;
use crate::error::told;
use crate::io::Hinted;
use crate::origin::{Origin, OriginRef};
use crate::pool::Ticket;
use crate::runtime::Runtime;
use crate::transport::Inner;

impl<R: Runtime> Inner<R> {
    /// Resolves, connects and, for https, shakes hands; marks each step.
    pub(crate) async fn open(
        &self,
        url: &Url,
        ticket: Ticket,
        marks: &Marks,
    ) -> Result<Conn, TransportError> {
        let origin = Arc::new(Origin::of(url)?);
        let addrs = self.addresses(url, origin.key()).await?;
        marks.mark(Phase::Resolved);
        let (stream, remote) = connect::race(&self.runtime, addrs).await.map_err(|error| {
            if error.is_exhausted() {
                self.pool.clear();
                told(
                    Failure::Exhausted,
                    format!("connecting to {}", origin.key()),
                    error,
                )
            } else {
                told(Failure::Connect, format!("to {}", origin.key()), error)
            }
        })?;
        marks.connected(Connection {
            remote: Some(remote),
            reused: false,
        });
        let stream = Hinted::new(stream);
        let started = if origin.key().tls {
            #[cfg(feature = "tls")]
            {
                let stream = crate::tls::handshake(&self.tls, origin.key().host, stream).await?;
                marks.mark(Phase::TlsDone);
                self.start(stream, origin, remote, ticket).await
            }
            #[cfg(not(feature = "tls"))]
            unreachable!("an https origin is refused without the feature `tls`")
        } else {
            self.start(stream, origin, remote, ticket).await
        };
        started.map_err(|error| told(Failure::Io, "starting HTTP", error))
    }

    async fn start<S>(
        &self,
        stream: S,
        origin: Arc<Origin>,
        remote: SocketAddr,
        ticket: Ticket,
    ) -> hyper::Result<Conn>
    where
        S: futures_io::AsyncRead + futures_io::AsyncWrite + Unpin + Send + 'static,
    {
        let (conn, task) =
            Conn::start(&self.builder, stream, origin, remote, &self.pool, ticket).await?;
        self.runtime.spawn(task);
        self.start_sweeper();
        Ok(conn)
    }

    /// Closes what is idle for too long, also when no request comes any more.
    fn start_sweeper(&self) {
        if !self.pool.wants_sweeper() {
            return;
        }
        let (pool, runtime) = (Arc::downgrade(&self.pool), self.runtime.clone());
        self.runtime.spawn(async move {
            while let Some(pause) = pool.upgrade().and_then(|pool| pool.sweep()) {
                runtime.sleep(pause).await;
            }
        });
    }

    /// The addresses to try, in order.
    async fn addresses(
        &self,
        url: &Url,
        origin: OriginRef<'_>,
    ) -> Result<Vec<SocketAddr>, TransportError> {
        let at_port = |ip: &IpAddr| SocketAddr::new(*ip, origin.port);
        let host = match url.host() {
            Some(Host::Ipv4(ip)) => return Ok(vec![at_port(&ip.into())]),
            Some(Host::Ipv6(ip)) => return Ok(vec![at_port(&ip.into())]),
            Some(Host::Domain(host)) => host,
            None => origin.host,
        };
        if !self.config.overrides.is_empty() {
            let known = self.config.overrides.get(&(host.to_owned(), origin.port));
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
