//! Checkout of connections that one request uses at a time.

use super::ConnectionPool;
use super::limit::ConnectionPermit;
use crate::http1::H1Connection;
#[cfg(feature = "http2")]
use crate::http2::{ConnectGuard, StreamLease};
use crate::origin::OriginRef;

/// A connection, or the right to open one.
pub(crate) enum PoolCheckout {
    Open(ConnectionPermit),
    /// Like `Open`, but other requests may wait for the result.
    #[cfg(feature = "http2")]
    OpenFirst(ConnectionPermit, ConnectGuard),
    Reuse(Box<H1Connection>),
    #[cfg(feature = "http2")]
    Share(StreamLease),
}

impl ConnectionPool {
    /// Waits for an idle connection to `origin`, or for a permit to open one. With `fresh`, idle
    /// connections are not used.
    pub(crate) async fn check_out(&self, origin: OriginRef<'_>, fresh: bool) -> PoolCheckout {
        let (mut freed, mut waiter) = (None, None);
        loop {
            match self.try_check_out(origin, fresh) {
                Some(found) => return found,
                // A connection may be freed before this request listens: it then looks again.
                None => match freed.take() {
                    None => {
                        waiter.get_or_insert_with(|| self.register_waiter());
                        freed = Some(self.counters.listen());
                    }
                    Some(freed) => freed.await,
                },
            }
        }
    }

    fn try_check_out(&self, origin: OriginRef<'_>, fresh: bool) -> Option<PoolCheckout> {
        if !fresh && let Some(conn) = self.take_idle(origin) {
            return Some(PoolCheckout::Reuse(conn));
        }
        self.reserve_or_evict().map(PoolCheckout::Open)
    }
}
