//! The state that all connections of a site share.

mod lru_map;
pub(crate) mod observer;
pub(crate) mod request_counts;

use tokio_rustls::TlsAcceptor;

use self::observer::SiteObserver;
use self::request_counts::RequestCounts;

/// State shared by all connections of a site.
#[derive(Debug)]
pub(crate) struct SiteState {
    pub(crate) observer: SiteObserver,
    pub(crate) request_counts: RequestCounts,
    pub(crate) keep_alive_requests: Option<u64>,
    pub(crate) tls: Option<SiteTls>,
    pub(crate) http2: bool,
    pub(crate) max_streams: u32,
    pub(crate) robots: Option<(u16, String)>,
}

pub(crate) struct SiteTls(pub(crate) TlsAcceptor);

impl std::fmt::Debug for SiteTls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tls")
    }
}
