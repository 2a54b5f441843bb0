//! The transport: a request to a connection, a connection to a response.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use fetch_driver::{
    Connection, Failure, Incoming, Marks, Outgoing, Phase, Transport, TransportError,
};
use http::{HeaderValue, Method, StatusCode};
use hyper::client::conn::http1::Builder;
use url::{Host, Url};

use crate::body::{ResponseBody, Wire};
use crate::config::Config;
use crate::conn::Conn;
use crate::dns::Dns;
use crate::error::{before_head, told};
use crate::io::Hinted;
use crate::origin::{Origin, OriginRef};
use crate::outgoing;
use crate::pool::{Checkout, Pool, Ticket};
use crate::runtime::Runtime;
use crate::{connect, decoding};

/// HTTP/1.1 with keep-alive, on any [`Runtime`].
///
/// It sends what it is asked to and no more: it never retries, never follows a redirect and never
/// times out by itself. Cheap to clone; clones share one pool.
pub struct HttpTransport<R: Runtime>(Arc<Inner<R>>);

struct Inner<R> {
    accept: Option<HeaderValue>,
    builder: Builder,
    config: Config,
    dns: Arc<Dns>,
    pool: Arc<Pool>,
    runtime: R,
    #[cfg(feature = "tls")]
    tls: futures_rustls::TlsConnector,
}

impl<R: Runtime> HttpTransport<R> {
    /// A transport whose connections live on `runtime`.
    #[must_use]
    pub fn new(runtime: R, config: Config) -> Self {
        let mut builder = Builder::new();
        builder
            // Heads are small: one copy is cheaper than a vectored write.
            .writev(false)
            .max_header_size(config.max_head)
            .max_buf_size(config.max_head.max(512 * 1024));
        Self(Arc::new(Inner {
            accept: config.decode.then(decoding::accepted).flatten(),
            builder,
            dns: Arc::new(Dns::new(config.resolver.clone(), config.dns_ttl)),
            pool: Arc::new(Pool::new(config.max_connections, config.idle_timeout)),
            runtime,
            #[cfg(feature = "tls")]
            tls: config.tls.connector(),
            config,
        }))
    }

    /// How many connections are open, idle or in use.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.0.pool.open()
    }
}

impl<R: Runtime> Clone for HttpTransport<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Runtime> fmt::Debug for HttpTransport<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl<R: Runtime> Transport for HttpTransport<R> {
    type Body = ResponseBody;

    fn send(
        &self,
        request: Outgoing,
        marks: Marks,
    ) -> impl Future<Output = Result<Incoming<ResponseBody>, TransportError>> + Send + 'static {
        let inner = self.0.clone();
        async move { inner.send(request, marks).await }
    }

    fn close(&self) {
        self.0.pool.clear();
    }
}

impl<R: Runtime> Inner<R> {
    async fn send(
        &self,
        request: Outgoing,
        marks: Marks,
    ) -> Result<Incoming<ResponseBody>, TransportError> {
        let origin = OriginRef::of(&request.url)?;
        match self.pool.checkout(origin, request.fresh_connection).await {
            Checkout::Reuse(conn) => {
                marks.connected(Connection { remote: Some(conn.remote), reused: true });
                self.exchange(conn, request, marks, true).await
            }
            Checkout::Open(ticket) => {
                // Boxed: it is rare, and large beside what every request carries along.
                let conn = Box::pin(self.open(&request.url, ticket, &marks)).await?;
                self.exchange(conn, request, marks, false).await
            }
        }
    }

    async fn exchange(
        &self,
        mut conn: Conn,
        outgoing: Outgoing,
        marks: Marks,
        reused: bool,
    ) -> Result<Incoming<ResponseBody>, TransportError> {
        let (is_head, max_body) = (outgoing.method == Method::HEAD, outgoing.max_body);
        let request = outgoing::request(outgoing, &conn, self.accept.clone())?;
        let uploaded = http_body::Body::is_end_stream(request.body());
        conn.shared.begin(marks.clone(), uploaded);
        let response = match conn.sender.try_send_request(request).await {
            Ok(response) => response,
            Err(mut refused) => {
                let handed_back = refused.take_message().is_some();
                let max_head = self.config.max_head;
                return Err(before_head(
                    refused.into_error(),
                    handed_back,
                    reused,
                    &conn,
                    max_head,
                ));
            }
        };
        let (mut head, body) = response.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let text = format!("{} switched to another protocol", conn.origin.key());
            return Err(TransportError::new(Failure::Protocol, text));
        }
        let wire = Wire::new(body, conn, marks, self.pool.clone());
        let decode = self.config.decode && !is_head && !wire.is_empty();
        let body = if decode {
            decoding::decode(wire, &mut head.headers, max_body)?
        } else {
            ResponseBody::plain(wire)
        };
        Ok(Incoming { body, headers: head.headers, status: head.status, version: head.version })
    }

    async fn open(
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
                told(Failure::Exhausted, format!("connecting to {}", origin.key()), error)
            } else {
                told(Failure::Connect, format!("to {}", origin.key()), error)
            }
        })?;
        marks.connected(Connection { remote: Some(remote), reused: false });
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
                let kind = if exhausted { Failure::Exhausted } else { Failure::Resolve };
                Err(told(kind, format!("looking up `{host}`"), error))
            }
        }
    }
}
