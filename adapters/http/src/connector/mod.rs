//! Provides a connection for each request: from the pool, or newly opened.

mod acquire;
mod dial;
pub(crate) mod open;
#[cfg(feature = "socks")]
mod socks;

use std::net::SocketAddr;
use std::sync::Arc;
#[cfg(all(feature = "tls", feature = "http2"))]
use std::sync::OnceLock;
use std::time::Instant;

use fetch_driver::{Http2Mode, OutgoingRequest};
use futures_lite::future;

use crate::config::HttpConfig;
use crate::connect::addresses::FailedAddresses;
use crate::connect::dns::{DnsCache, SpawnLookup};
use crate::connect::settling::AnswerTimes;
use crate::connect::verdicts::ProxyVerdicts;
use crate::http1::{ContinueTimer, ExpectRefusals, H1Connection};
use crate::io::runtime::HttpRuntime;
use crate::origin::OriginRef;
use crate::pool::ConnectionPool;

/// Takes connections from the pool, and opens new ones.
pub(crate) struct Connector<R> {
    answer_times: AnswerTimes,
    config: HttpConfig,
    dns: Arc<DnsCache>,
    pool: Arc<ConnectionPool>,
    failed_addresses: Arc<FailedAddresses>,
    verdicts: Arc<ProxyVerdicts>,
    pub(crate) expect_refusals: ExpectRefusals,
    runtime: R,
    #[cfg(feature = "tls")]
    tls: Arc<rustls::ClientConfig>,
    /// For origins that require HTTP/1.1: it does not offer HTTP/2.
    #[cfg(all(feature = "tls", feature = "http2"))]
    tls_http1: OnceLock<Arc<rustls::ClientConfig>>,
}

/// Spawns lookups on the runtime.
fn spawner<R: HttpRuntime>(runtime: &R) -> SpawnLookup {
    let runtime = runtime.clone();
    Box::new(move |lookup| runtime.spawn(lookup))
}

/// A connection that the server may have dropped silently. Nothing was sent on it.
#[derive(Debug)]
pub(super) struct SuspectConnection;

impl<R: HttpRuntime> Connector<R> {
    pub(crate) fn new(runtime: R, config: HttpConfig) -> Self {
        Self {
            answer_times: AnswerTimes::default(),
            dns: Arc::new(DnsCache::new(
                config.resolver.clone(),
                config.dns_ttl,
                spawner(&runtime),
            )),
            pool: ConnectionPool::new(config.connection_limit(), config.idle_timeout),
            failed_addresses: Arc::default(),
            verdicts: config.proxy_verdicts(),
            expect_refusals: ExpectRefusals::default(),
            runtime,
            #[cfg(feature = "tls")]
            tls: config.tls.config(config.http2 != Http2Mode::Off),
            #[cfg(all(feature = "tls", feature = "http2"))]
            tls_http1: OnceLock::new(),
            config,
        }
    }

    pub(crate) fn config(&self) -> &HttpConfig {
        &self.config
    }

    pub(crate) fn pool(&self) -> &Arc<ConnectionPool> {
        &self.pool
    }

    /// Whether connections to `origin` may speak HTTP/2.
    pub(super) fn may_share(&self, origin: OriginRef<'_>) -> bool {
        cfg!(feature = "http2")
            && !origin.proxy
            && match self.config.http2 {
                Http2Mode::Off => false,
                Http2Mode::PriorKnowledge => true,
                _ => origin.tls,
            }
    }

    /// Whether `origin` answered over HTTP/2 that it requires HTTP/1.1.
    #[cfg(feature = "http2")]
    pub(super) fn is_http1_required(&self, origin: OriginRef<'_>) -> bool {
        self.may_share(origin) && self.pool.h2().is_http1_required(origin)
    }

    /// What does the TLS handshakes with `origin`.
    #[cfg(feature = "tls")]
    pub(super) fn tls(&self, origin: OriginRef<'_>) -> &Arc<rustls::ClientConfig> {
        #[cfg(feature = "http2")]
        if self.is_http1_required(origin) {
            return self.tls_http1.get_or_init(|| self.config.tls.config(false));
        }
        let _ = origin;
        &self.tls
    }

    /// For a request whose body waits for `100 Continue`: ends when it waits no longer.
    pub(crate) fn continue_timer(
        &self,
        request: &mut OutgoingRequest,
        conn: &H1Connection,
    ) -> Option<ContinueTimer> {
        let waits = self.expect_refusals.prepare(request, &conn.origin);
        let (runtime, limit) = (self.runtime.clone(), self.config.expect_timeout);
        waits.then(|| Box::pin(async move { runtime.sleep(limit).await }) as ContinueTimer)
    }

    /// Waits before a request that must not be lost goes out on a new connection without TLS, until
    /// the server has accepted it. Returns the server, whose answer is to be
    /// [recorded](Self::record_answer).
    ///
    /// # Errors
    ///
    /// Another connection to the server failed meanwhile, so it may have dropped this one.
    pub(super) fn settle<'a>(
        &'a self,
        conn: &H1Connection,
    ) -> impl Future<Output = Result<Option<SocketAddr>, SuspectConnection>> + Send + use<'a, R>
    {
        let connect_time = conn.connect_time.filter(|_| !conn.origin.key().tls);
        let peer = conn.info.remote.zip(connect_time);
        async move {
            let Some((server, connect_time)) = peer else {
                return Ok(None);
            };
            let since = Instant::now();
            let rest = self.answer_times.rest(server, connect_time, since);
            self.runtime.sleep(rest).await;
            match self.answer_times.has_failed_since(server, since) {
                true => Err(SuspectConnection),
                false => Ok(Some(server)),
            }
        }
    }

    /// Records how a server answered a request that was sent at `since` on a new connection.
    pub(crate) fn record_answer(&self, server: SocketAddr, since: Instant, is_ok: bool) {
        let now = Instant::now();
        match is_ok {
            true => self.answer_times.record(server, now - since),
            false => self.answer_times.record_failure(server, now),
        }
    }

    /// Starts a task that closes idle connections that are expired or that the server closed, even
    /// while no request is sent. At most one such task runs per pool.
    pub(super) fn start_sweeper(&self) {
        if !self.pool.claim_sweeper() {
            return;
        }
        let (pool, runtime) = (Arc::downgrade(&self.pool), self.runtime.clone());
        self.runtime.spawn(async move {
            while let Some(pool) = pool.upgrade() {
                // Listens before it sweeps, so that no request is missed.
                let requested = pool.sweep_requested();
                let Some(pause) = pool.sweep() else { break };
                drop(pool);
                future::or(requested, runtime.sleep(pause)).await;
            }
        });
    }
}
