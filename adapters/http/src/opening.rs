//! A new connection: from a URL's host to a stream that speaks HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use fetch_driver::{Connection, Marks, TransportError};
use futures_lite::future;
use url::Url;

use crate::body::Held;
use crate::connections::Ticket;
use crate::http1::Conn;
use crate::io::{Duplex, Hinted};
use crate::origin::Origin;
use crate::runtime::Runtime;
use crate::transport::Inner;

impl<R: Runtime> Inner<R> {
    /// Resolves, connects, through a proxy if need be, and, for https, shakes hands; marks each step.
    pub(crate) async fn open(
        &self,
        url: &Url,
        ticket: Ticket,
        marks: &Marks,
    ) -> Result<Held, TransportError> {
        let routes = &self.config.routes;
        let origin = Arc::new(routes.origin(url)?);
        let (stream, remote) = self.dial(origin.key(), routes.route(url), marks).await?;
        marks.connected(Connection {
            remote,
            reused: false,
        });
        let stream = Hinted::new(stream);
        #[cfg(feature = "tls")]
        if origin.key().tls {
            // Boxed, as other large ones are that most connections do not need: many are opened at once.
            return Box::pin(self.secure(stream, origin, remote, ticket, marks)).await;
        }
        // Without TLS both sides must know.
        let http2 = self.config.may_share(origin.key());
        self.start(stream, http2, origin, remote, ticket).await
    }

    /// Shakes hands, and goes on from there.
    #[cfg(feature = "tls")]
    async fn secure<S>(
        &self,
        stream: S,
        origin: Arc<Origin>,
        remote: Option<SocketAddr>,
        ticket: Ticket,
        marks: &Marks,
    ) -> Result<Held, TransportError>
    where
        S: Duplex + 'static,
    {
        let stream = crate::tls::handshake(&self.tls, origin.key().host, stream).await?;
        marks.mark(fetch_driver::Phase::TlsDone);
        let http2 = crate::tls::agreed_on_http2(&stream);
        self.start(stream, http2, origin, remote, ticket).await
    }

    async fn start<S>(
        &self,
        stream: S,
        http2: bool,
        origin: Arc<Origin>,
        remote: Option<SocketAddr>,
        ticket: Ticket,
    ) -> Result<Held, TransportError>
    where
        S: Duplex + 'static,
    {
        self.start_sweeper();
        #[cfg(feature = "http2")]
        if http2 {
            let lease = Box::pin(self.start_http2(stream, origin, remote, ticket)).await?;
            return Ok(Held::Shared(lease));
        } else if self.config.may_share(origin.key()) {
            self.pool.groups.speaks_http1(&origin);
        }
        let _ = http2;
        let conn = Conn::new(stream, origin, remote, &self.pool, ticket);
        Ok(Held::Alone(conn))
    }

    /// Closes what is idle for too long or was closed by the server, also when no request comes.
    fn start_sweeper(&self) {
        if !self.pool.wants_sweeper() {
            return;
        }
        let (pool, runtime) = (Arc::downgrade(&self.pool), self.runtime.clone());
        self.runtime.spawn(async move {
            while let Some(pool) = pool.upgrade() {
                // Listening before looking, so that no alarm is missed.
                let alarm = pool.alarm();
                let Some(pause) = pool.sweep() else { break };
                drop(pool);
                future::or(alarm, runtime.sleep(pause)).await;
            }
        });
    }
}

#[cfg(all(test, feature = "async-io"))]
mod tests {
    use std::io;
    use std::time::Duration;

    use fetch_driver::Clock;

    use super::*;
    use crate::{Config, HttpTransport, Socket};

    #[derive(Clone)]
    struct Smol;

    impl Runtime for Smol {
        type Stream = Socket;

        async fn connect(&self, addr: SocketAddr) -> io::Result<Socket> {
            Socket::connect(addr).await
        }

        fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {}

        async fn sleep(&self, _: Duration) {}
    }

    #[test]
    fn ten_thousand_may_be_opened_at_once_in_little_memory() {
        let transport = HttpTransport::new(Smol, Config::new());
        let (inner, marks) = (transport.inner(), Marks::new(Clock::start()));
        let url = "http://a.test/".parse().unwrap();
        let ticket = inner.pool.reserve_or_evict().unwrap();
        let opening = inner.open(&url, ticket, &marks);
        assert!(size_of_val(&opening) <= 1024);
    }
}
