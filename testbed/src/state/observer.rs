//! Counts and records the traffic of a site.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hyper::http::request::Parts;

use super::lru_map::LruMap;
use crate::lock::lock;

const MAX_HOSTS: usize = 4_096;
const MAX_TARGETS: usize = 16_384;
const MAX_RECORDED_BODY: usize = 16 * 1_024;

/// Traffic counts of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observed {
    /// Connections accepted since the start.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// The most connections that were open at once.
    pub max_open: u64,
    /// Requests whose head arrived since the start.
    pub requests: u64,
    /// Requests whose response is not yet complete.
    pub in_flight: u64,
    /// The most requests that were in flight at once.
    pub max_in_flight: u64,
    /// Requests aborted by the peer: it closed or reset the connection (or the HTTP/2 stream) before the response was complete.
    pub cut_by_peer: u64,
    /// Connections broken by an endpoint.
    pub broken: u64,
    /// Counts per authority (`Host`), for the 4,096 most recently used ones.
    pub hosts: BTreeMap<String, HostObserved>,
}

/// Traffic counts of one host name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostObserved {
    /// Requests whose head arrived since the start.
    pub requests: u64,
    /// Requests whose response is not yet complete.
    pub in_flight: u64,
    /// The most requests that were in flight at once.
    pub max_in_flight: u64,
}

/// A recorded request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The method, such as `GET`.
    pub method: String,
    /// Names (lower case) and values, in order. Bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The first 16 KiB of the body.
    pub body: Vec<u8>,
}

impl RecordedRequest {
    /// Returns the first value of the header `name`. Case is ignored.
    ///
    /// ```
    /// use std::io::{Read, Write};
    ///
    /// let site = fetch_testbed::Site::builder().record(true).start()?;
    /// let mut client = std::net::TcpStream::connect(site.address())?;
    /// client.write_all(b"GET /get HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n")?;
    /// client.read_to_end(&mut Vec::new())?;
    /// assert_eq!(site.last_request("/get").unwrap().header("Host"), Some("demo"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(each, _)| each.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    fn new(head: &Parts, body: &Bytes) -> Self {
        let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        };
        Self {
            method: head.method.to_string(),
            headers: head.headers.iter().map(header).collect(),
            body: body[..body.len().min(MAX_RECORDED_BODY)].to_vec(),
        }
    }
}

/// A total, a current count and the maximum of the current count.
#[derive(Debug, Default)]
pub(crate) struct ActivityGauge {
    total: AtomicU64,
    now: AtomicU64,
    max: AtomicU64,
}

impl ActivityGauge {
    pub(crate) fn enter(&self) {
        self.total.fetch_add(1, Relaxed);
        let now = self.now.fetch_add(1, Relaxed) + 1;
        if now > self.max.load(Relaxed) {
            self.max.fetch_max(now, Relaxed);
        }
    }

    pub(crate) fn leave(&self) {
        self.now.fetch_sub(1, Relaxed);
    }
}

#[derive(Debug)]
struct TargetRecord {
    hits: u64,
    last: Option<RecordedRequest>,
}

/// Counters and recorded requests of one site.
#[derive(Debug)]
pub(crate) struct SiteObserver {
    pub(crate) connections: ActivityGauge,
    pub(crate) requests: ActivityGauge,
    pub(crate) cut_by_peer: AtomicU64,
    pub(crate) broken: AtomicU64,
    hosts: Mutex<LruMap<Box<[u8]>, Arc<ActivityGauge>>>,
    targets: Option<Mutex<LruMap<Box<str>, TargetRecord>>>,
}

impl SiteObserver {
    pub(crate) fn new(record: bool) -> Self {
        Self {
            connections: ActivityGauge::default(),
            requests: ActivityGauge::default(),
            cut_by_peer: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            hosts: Mutex::new(LruMap::new(MAX_HOSTS)),
            targets: record.then(|| Mutex::new(LruMap::new(MAX_TARGETS))),
        }
    }

    pub(crate) fn host_gauge(&self, name: &[u8]) -> Arc<ActivityGauge> {
        lock(&self.hosts)
            .get_or_insert(name.into(), Arc::default)
            .clone()
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.targets.is_some()
    }

    pub(crate) fn record(&self, head: &Parts, body: &Bytes) {
        let Some(targets) = &self.targets else { return };
        let target = head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let mut targets = lock(targets);
        let target_record = targets.get_or_insert(target.into(), || TargetRecord {
            hits: 0,
            last: None,
        });
        target_record.hits += 1;
        target_record.last = Some(RecordedRequest::new(head, body));
    }

    pub(crate) fn hits(&self, target: &str) -> u64 {
        let targets = self.targets.as_ref();
        targets.map_or(0, |targets| {
            lock(targets)
                .peek(target)
                .map_or(0, |target_record| target_record.hits)
        })
    }

    pub(crate) fn last_request(&self, target: &str) -> Option<RecordedRequest> {
        lock(self.targets.as_ref()?).peek(target)?.last.clone()
    }

    fn host_counts(&self) -> BTreeMap<String, HostObserved> {
        let hosts = lock(&self.hosts);
        let named = hosts.iter().map(|(name, gauge)| {
            let observed = HostObserved {
                requests: gauge.total.load(Relaxed),
                in_flight: gauge.now.load(Relaxed),
                max_in_flight: gauge.max.load(Relaxed),
            };
            (String::from_utf8_lossy(name).into_owned(), observed)
        });
        named.collect()
    }

    pub(crate) fn snapshot(&self) -> Observed {
        Observed {
            connections: self.connections.total.load(Relaxed),
            open: self.connections.now.load(Relaxed),
            max_open: self.connections.max.load(Relaxed),
            requests: self.requests.total.load(Relaxed),
            in_flight: self.requests.now.load(Relaxed),
            max_in_flight: self.requests.max.load(Relaxed),
            cut_by_peer: self.cut_by_peer.load(Relaxed),
            broken: self.broken.load(Relaxed),
            hosts: self.host_counts(),
        }
    }
}
