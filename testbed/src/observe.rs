use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::http::request::Parts;

use crate::bounded::Bounded;

const MAX_HOSTS: usize = 4_096;
const MAX_PATHS: usize = 16_384;
const MAX_BODY: usize = 16 * 1_024;

/// What a site has seen so far.
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
    /// Requests whose response is not yet handed over whole.
    pub in_flight: u64,
    /// The most requests that were in flight at once.
    pub max_in_flight: u64,
    /// Requests that the peer gave up: it closed or reset the connection (or the HTTP/2 stream) before the response was over.
    pub cut_by_peer: u64,
    /// Connections that the site broke because an endpoint asked for it.
    pub broken: u64,
    /// The same by the authority that the requests named (`Host`), for the 4,096 used last.
    pub hosts: BTreeMap<String, HostObserved>,
}

/// What a site has seen for one host name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostObserved {
    /// Requests whose head arrived since the start.
    pub requests: u64,
    /// Requests whose response is not yet handed over whole.
    pub in_flight: u64,
    /// The most requests that were in flight at once.
    pub max_in_flight: u64,
}

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// The method, such as `GET`.
    pub method: String,
    /// Names (lower case) and values in their order; bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The first 16 KiB of the body.
    pub body: Vec<u8>,
}

impl Seen {
    /// Returns the first value of the header `name`, whatever its case.
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
            body: body[..body.len().min(MAX_BODY)].to_vec(),
        }
    }
}

/// A count of things that come and go.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    total: AtomicU64,
    now: AtomicU64,
    max: AtomicU64,
}

impl Gauge {
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
struct Visit {
    hits: u64,
    last: Option<Seen>,
}

/// The counters of one site.
#[derive(Debug)]
pub(crate) struct Observer {
    pub(crate) connections: Gauge,
    pub(crate) requests: Gauge,
    pub(crate) cut_by_peer: AtomicU64,
    pub(crate) broken: AtomicU64,
    hosts: Mutex<Bounded<Box<[u8]>, Arc<Gauge>>>,
    visits: Option<Mutex<Bounded<Box<str>, Visit>>>,
}

impl Observer {
    pub(crate) fn new(record: bool) -> Self {
        Self {
            connections: Gauge::default(),
            requests: Gauge::default(),
            cut_by_peer: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            hosts: Mutex::new(Bounded::new(MAX_HOSTS)),
            visits: record.then(|| Mutex::new(Bounded::new(MAX_PATHS))),
        }
    }

    pub(crate) fn host(&self, name: &[u8]) -> Arc<Gauge> {
        lock(&self.hosts).entry(name.into(), Arc::default).clone()
    }

    pub(crate) fn records(&self) -> bool {
        self.visits.is_some()
    }

    pub(crate) fn record(&self, head: &Parts, body: &Bytes) {
        let Some(visits) = &self.visits else { return };
        let target = head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let mut visits = lock(visits);
        let visit = visits.entry(target.into(), || Visit {
            hits: 0,
            last: None,
        });
        visit.hits += 1;
        visit.last = Some(Seen::new(head, body));
    }

    pub(crate) fn hits(&self, target: &str) -> u64 {
        let visits = self.visits.as_ref();
        visits.map_or(0, |visits| {
            lock(visits).peek(target).map_or(0, |visit| visit.hits)
        })
    }

    pub(crate) fn last(&self, target: &str) -> Option<Seen> {
        lock(self.visits.as_ref()?).peek(target)?.last.clone()
    }

    fn hosts(&self) -> BTreeMap<String, HostObserved> {
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
            hosts: self.hosts(),
        }
    }
}

/// Locks, whatever became of the thread that held the lock before: the data here is valid at every step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
