//! The state of one connection to a site.

pub(crate) mod stream;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use hyper::header::{HOST, HeaderValue};
use hyper::http::request::Parts;

use self::stream::ConnectionControl;
use crate::lock::lock;
use crate::state::SiteState;
use crate::state::observer::ActivityGauge;
use crate::state::request_counts::RequestCounts;

/// State shared by the requests of one connection.
#[derive(Debug)]
pub(crate) struct SiteConnection {
    pub(crate) state: Arc<SiteState>,
    pub(crate) control: Arc<ConnectionControl>,
    local: SocketAddr,
    served: AtomicU64,
    http2: bool,
    /// The last named host and its gauge, because nearly all requests of a connection name the same one.
    host: Mutex<Option<(HeaderValue, Arc<ActivityGauge>)>>,
}

impl SiteConnection {
    pub(crate) fn new(
        state: Arc<SiteState>,
        control: Arc<ConnectionControl>,
        local: SocketAddr,
        http2: bool,
    ) -> Self {
        Self {
            state,
            control,
            local,
            served: AtomicU64::new(0),
            http2,
            host: Mutex::new(None),
        }
    }

    pub(crate) fn request_counts(&self) -> &RequestCounts {
        &self.state.request_counts
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.state.tls.is_some() {
            "https"
        } else {
            "http"
        }
    }

    /// Returns the host and port that the request names, or the local address if it names none.
    pub(crate) fn authority<'a>(&self, head: &'a Parts) -> Cow<'a, [u8]> {
        if let Some(authority) = head.uri.authority() {
            return authority.as_str().as_bytes().into();
        }
        match head.headers.get(HOST) {
            Some(host) => host.as_bytes().into(),
            None => self.local.to_string().into_bytes().into(),
        }
    }

    pub(crate) fn host_gauge(&self, head: &Parts) -> Arc<ActivityGauge> {
        let authority = self.authority(head);
        let mut last = lock(&self.host);
        if let Some((name, gauge)) = &*last
            && name.as_bytes() == &*authority
        {
            return gauge.clone();
        }
        let gauge = self.state.observer.host_gauge(&authority);
        *last = HeaderValue::from_bytes(&authority)
            .ok()
            .map(|name| (name, gauge.clone()));
        gauge
    }

    /// Counts a request. Returns whether it is the last one that the connection may carry.
    pub(crate) fn count_request(&self) -> bool {
        let served = self.served.fetch_add(1, Relaxed) + 1;
        !self.http2
            && self
                .state
                .keep_alive_requests
                .is_some_and(|limit| served >= limit)
    }
}
