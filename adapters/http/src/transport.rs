//! The transport: a request to a connection, a connection to a response.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "tls")]
use fetch_driver::Http2;
use fetch_driver::{Connection, Incoming, Marks, Outgoing, Transport, TransportError};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use url::Url;

use crate::body::{Held, ResponseBody, Wire};
use crate::config::Config;
use crate::decode::decode;
use crate::dns::Dns;
use crate::hand;
use crate::http1::{self, Conn};
use crate::pool::{Checkout, Pool};
use crate::runtime::Runtime;

/// HTTP/1.1 with keep-alive and HTTP/2, on any [`Runtime`].
///
/// It sends what it is asked to and no more: it never retries, never follows a redirect and never
/// times out by itself. Cheap to clone; clones share one pool.
///
/// ```
/// # #[cfg(feature = "async-io")] {
/// use std::net::SocketAddr;
/// use std::time::Duration;
///
/// use fetch_driver::{Clock, Marks, Outgoing, RequestBody, Transport};
/// use fetch_http::{Config, HttpTransport, Runtime, Socket};
/// use futures_lite::StreamExt;
///
/// #[derive(Clone)]
/// struct Smol;
///
/// impl Runtime for Smol {
///     type Stream = Socket;
///     async fn connect(&self, addr: SocketAddr) -> std::io::Result<Socket> {
///         Socket::connect(addr).await
///     }
///     fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
///         smol::spawn(task).detach();
///     }
///     async fn sleep(&self, duration: Duration) {
///         smol::Timer::after(duration).await;
///     }
/// }
///
/// let site = fetch_testbed::Site::start().unwrap();
/// let transport = HttpTransport::new(Smol, Config::new());
/// let request = Outgoing {
///     body: RequestBody::Empty,
///     fresh_connection: false,
///     headers: std::sync::Arc::default(),
///     max_body: 1 << 20,
///     method: http::Method::GET,
///     path_as_is: None,
///     url: std::sync::Arc::new(site.url("/bytes/3").parse().unwrap()),
/// };
/// smol::block_on(async {
///     let response = transport.send(request, Marks::new(Clock::start())).await.unwrap();
///     assert_eq!(response.status, 200);
///     let chunks: Vec<_> = response.body.map(Result::unwrap).collect().await;
///     assert_eq!(chunks.concat(), [0, 1, 2]);
/// });
/// assert_eq!(transport.open_connections(), 1);
/// # }
/// ```
pub struct HttpTransport<R: Runtime>(Arc<Inner<R>>);

pub(crate) struct Inner<R> {
    pub(crate) accept: Option<HeaderValue>,
    pub(crate) config: Config,
    pub(crate) dns: Arc<Dns>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) runtime: R,
    #[cfg(feature = "tls")]
    pub(crate) tls: futures_rustls::TlsConnector,
}

impl<R: Runtime> HttpTransport<R> {
    /// A transport whose connections live on `runtime`.
    ///
    /// ```
    /// # #[cfg(feature = "async-io")] {
    /// # use std::{io, net::SocketAddr, time::Duration};
    /// # #[derive(Clone)] struct Smol;
    /// # impl fetch_http::Runtime for Smol {
    /// #     type Stream = fetch_http::Socket;
    /// #     async fn connect(&self, addr: SocketAddr) -> io::Result<Self::Stream> {
    /// #         fetch_http::Socket::connect(addr).await
    /// #     }
    /// #     fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
    /// #         smol::spawn(task).detach();
    /// #     }
    /// #     async fn sleep(&self, duration: Duration) {
    /// #         smol::Timer::after(duration).await;
    /// #     }
    /// # }
    /// use fetch_http::{Config, HttpTransport};
    ///
    /// let transport = HttpTransport::new(Smol, Config::new().max_connections(200));
    /// # }
    /// ```
    #[must_use]
    pub fn new(runtime: R, config: Config) -> Self {
        Self(Arc::new(Inner {
            accept: config.decode.then(fetch_coding::accepted).flatten(),
            dns: Arc::new(Dns::new(config.resolver.clone(), config.dns_ttl)),
            pool: Pool::new(config.connections(), config.idle_timeout),
            runtime,
            #[cfg(feature = "tls")]
            tls: config.tls.connector(config.http2 != Http2::Off),
            config,
        }))
    }

    /// How many connections are open, idle or in use.
    ///
    /// ```
    /// # #[cfg(feature = "async-io")] {
    /// # use std::{io, net::SocketAddr, time::Duration};
    /// # #[derive(Clone)] struct Smol;
    /// # impl fetch_http::Runtime for Smol {
    /// #     type Stream = fetch_http::Socket;
    /// #     async fn connect(&self, addr: SocketAddr) -> io::Result<Self::Stream> {
    /// #         fetch_http::Socket::connect(addr).await
    /// #     }
    /// #     fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
    /// #         smol::spawn(task).detach();
    /// #     }
    /// #     async fn sleep(&self, duration: Duration) {
    /// #         smol::Timer::after(duration).await;
    /// #     }
    /// # }
    /// use fetch_http::{Config, HttpTransport};
    ///
    /// let transport = HttpTransport::new(Smol, Config::new());
    /// assert_eq!(transport.open_connections(), 0);
    /// # }
    /// ```
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.0.pool.open()
    }
}

#[cfg(test)]
impl<R: Runtime> HttpTransport<R> {
    pub(crate) fn inner(&self) -> &Inner<R> {
        &self.0
    }
}

impl<R: Runtime> Clone for HttpTransport<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Runtime> fmt::Debug for HttpTransport<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> Transport for HttpTransport<R> {
    const SENDS_PATH_AS_IS: bool = true;

    type Body = ResponseBody;

    fn send(
        &self,
        request: Outgoing,
        marks: Marks,
    ) -> impl Future<Output = Result<Incoming<ResponseBody>, TransportError>> + Send + use<R> {
        self.0.clone().send(request, marks)
    }

    fn turn(&self, turn: &mut dyn FnMut()) {
        hand::turn(&self.0.pool, turn);
    }

    fn close(&self) {
        self.0.pool.clear();
    }
}

impl<R: Runtime> Inner<R> {
    async fn send(
        self: Arc<Self>,
        request: Outgoing,
        marks: Marks,
    ) -> Result<Incoming<ResponseBody>, TransportError> {
        let (held, reused) = self
            .hold(&request.url, request.fresh_connection, &marks)
            .await?;
        match held {
            Held::Alone(conn) => self.exchange(conn, request, marks, reused).await,
            #[cfg(feature = "http2")]
            Held::Shared(lease) => self.exchange_shared(lease, request, marks, reused).await,
        }
    }

    /// A connection for `url`, or a place on one, and whether it was used before.
    async fn hold(
        &self,
        url: &Url,
        fresh: bool,
        marks: &Marks,
    ) -> Result<(Held, bool), TransportError> {
        let origin = self.config.routes.key(url)?;
        #[cfg(feature = "http2")]
        if self.config.may_share(origin) {
            return self.hold_shared(origin, url, fresh, marks).await;
        }
        match self.pool.checkout(origin, fresh).await {
            Checkout::Reuse(conn) => {
                marks.connected(Connection {
                    remote: conn.remote,
                    reused: true,
                });
                Ok((Held::Alone(conn), true))
            }
            Checkout::Open(ticket) => {
                // Boxed: it is rare, and large beside what every request carries along.
                let held = Box::pin(self.open(url, ticket, marks)).await?;
                Ok((held, false))
            }
            #[cfg(feature = "http2")]
            _ => unreachable!("the pool shares nothing unasked"),
        }
    }

    async fn exchange(
        &self,
        conn: Box<Conn>,
        outgoing: Outgoing,
        marks: Marks,
        reused: bool,
    ) -> Result<Incoming<ResponseBody>, TransportError> {
        let (is_head, max_body) = (outgoing.method == Method::HEAD, outgoing.max_body);
        let (accept, max_head) = (self.accept.as_ref(), self.config.max_head);
        let ours = (marks, &self.pool);
        let exchange = http1::exchange(conn, outgoing, accept, reused, max_head, ours);
        let (head, body) = exchange.await?;
        let head = (head.status, head.version, head.headers);
        self.respond(head, Wire::Alone(body), is_head, max_body)
    }

    pub(crate) fn respond(
        &self,
        (status, version, mut headers): (StatusCode, Version, HeaderMap),
        wire: Wire,
        is_head: bool,
        max_body: u64,
    ) -> Result<Incoming<ResponseBody>, TransportError> {
        let body = if self.config.decode && !is_head && !wire.is_empty() {
            decode(wire, &mut headers, max_body)?
        } else {
            ResponseBody::plain(wire)
        };
        Ok(Incoming {
            body,
            headers,
            status,
            version,
        })
    }
}
