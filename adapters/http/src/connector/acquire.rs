//! A connection for a request: from the pool, or a new one.

use std::net::SocketAddr;

use fetch_driver::{AttemptProgress, FailureKind, TransportError};
use url::Url;

use super::Connector;
use super::open::AcquiredConnection;
use crate::io::runtime::HttpRuntime;
#[cfg(feature = "http2")]
use crate::origin::OriginRef;
use crate::pool::PoolCheckout;

/// How many suspect connections in a row a request gives up.
const MAX_SUSPECTS: usize = 3;

impl<R: HttpRuntime> Connector<R> {
    /// A connection for a request that must not be lost: a new one or a stream of a shared one. A new
    /// connection rests first; the server whose answer is to be [recorded](Self::record_answer) is
    /// then returned, too.
    pub(crate) async fn acquire_settled(
        &self,
        url: &Url,
        progress: &AttemptProgress,
    ) -> Result<(AcquiredConnection, bool, Option<SocketAddr>), TransportError> {
        for _ in 0..MAX_SUSPECTS {
            let (acquired, reused) = self.acquire(url, true, progress).await?;
            let settling = match &acquired {
                AcquiredConnection::Exclusive(conn) if !reused => self.settle(conn),
                _ => return Ok((acquired, reused, None)),
            };
            if let Ok(server) = settling.await {
                return Ok((acquired, reused, server));
            }
        }
        let text = "connections to the server keep failing: nothing was sent";
        Err(TransportError::new(FailureKind::Connect, text))
    }

    /// A connection for `url`, and whether it was open before. With `fresh`, idle HTTP/1.1
    /// connections are not used.
    pub(crate) async fn acquire(
        &self,
        url: &Url,
        fresh: bool,
        progress: &AttemptProgress,
    ) -> Result<(AcquiredConnection, bool), TransportError> {
        let origin = self.config.routes.pool_key(url)?;
        #[cfg(feature = "http2")]
        if self.may_share(origin) {
            return self.acquire_shared(origin, url, fresh, progress).await;
        }
        match self.pool.check_out(origin, fresh).await {
            PoolCheckout::Reuse(conn) => {
                progress.mark_connected(conn.info.clone().into_reused());
                Ok((AcquiredConnection::Exclusive(conn), true))
            }
            PoolCheckout::Open(permit) => {
                // Boxed: connecting is rare, and its state is large.
                let acquired = Box::pin(self.open(url, permit, progress)).await?;
                Ok((acquired, false))
            }
            #[cfg(feature = "http2")]
            _ => unreachable!("`check_out` shares nothing"),
        }
    }

    /// Like [`acquire`](Self::acquire), where the connection may speak HTTP/2.
    #[cfg(feature = "http2")]
    async fn acquire_shared(
        &self,
        origin: OriginRef<'_>,
        url: &Url,
        fresh: bool,
        progress: &AttemptProgress,
    ) -> Result<(AcquiredConnection, bool), TransportError> {
        loop {
            let (acquired, info) = match self.pool.check_out_shared(origin, fresh).await? {
                PoolCheckout::Open(permit) => {
                    let acquired = Box::pin(self.open(url, permit, progress)).await?;
                    return Ok((acquired, false));
                }
                PoolCheckout::OpenFirst(permit, guard) => {
                    match Box::pin(self.open(url, permit, progress)).await {
                        Ok(acquired) => return Ok((acquired, false)),
                        Err(error) => match guard.fail(error) {
                            Some(error) => return Err(error),
                            // A stream on an open connection will become free.
                            None => continue,
                        },
                    }
                }
                PoolCheckout::Reuse(conn) => {
                    let info = conn.info.clone();
                    (AcquiredConnection::Exclusive(conn), info)
                }
                PoolCheckout::Share(lease) => {
                    let info = lease.handle.info.clone();
                    (AcquiredConnection::Shared(lease), info)
                }
            };
            progress.mark_connected(info.into_reused());
            return Ok((acquired, true));
        }
    }
}

#[cfg(all(test, feature = "async-io"))]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::{Duration, Instant};

    use fetch_driver::Clock;
    use futures_lite::future;

    use super::*;
    use crate::{AsyncIoSocket, HttpConfig};

    /// A runtime on which a connection rests until the test says so.
    #[derive(Clone, Default)]
    struct Resting {
        ended: Arc<AtomicUsize>,
        started: Arc<AtomicUsize>,
    }

    impl HttpRuntime for Resting {
        type Stream = AsyncIoSocket;

        async fn connect(&self, addr: SocketAddr) -> std::io::Result<AsyncIoSocket> {
            AsyncIoSocket::connect(addr).await
        }

        fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {}

        async fn sleep(&self, _: Duration) {
            let rest = self.started.fetch_add(1, SeqCst);
            while self.ended.load(SeqCst) <= rest {
                future::yield_now().await;
            }
        }
    }

    /// How many connections are opened for a request that must not be lost, and whether it gets one, if
    /// so many others fail while one rests.
    fn open_beside_failures(failures: usize) -> (usize, bool) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let (runtime, progress) = (Resting::default(), AttemptProgress::new(Clock::start()));
        let connector = Connector::new(runtime.clone(), HttpConfig::new());
        let url = format!("http://{server}/").parse().unwrap();
        let fail = async {
            for rest in 0.. {
                while runtime.started.load(SeqCst) <= rest {
                    future::yield_now().await;
                }
                if rest < failures {
                    connector
                        .answer_times
                        .record_failure(server, Instant::now());
                }
                runtime.ended.fetch_add(1, SeqCst);
            }
            unreachable!()
        };
        let acquired = connector.acquire_settled(&url, &progress);
        let acquired = smol::block_on(future::or(acquired, fail));
        (runtime.started.load(SeqCst), acquired.is_ok())
    }

    #[test]
    fn a_connection_is_replaced_if_another_one_failed_while_it_rested() {
        assert_eq!(open_beside_failures(0), (1, true));
        assert_eq!(open_beside_failures(1), (2, true));
        assert_eq!(open_beside_failures(9), (MAX_SUSPECTS, false));
    }
}
