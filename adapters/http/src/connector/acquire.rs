//! A connection for a request: from the pool, or a new one.

use fetch_driver::{AttemptProgress, TransportError};
use url::Url;

use super::Connector;
use super::open::AcquiredConnection;
use crate::io::runtime::HttpRuntime;
#[cfg(feature = "http2")]
use crate::origin::OriginRef;
use crate::pool::PoolCheckout;

impl<R: HttpRuntime> Connector<R> {
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
