//! The cases: what is fetched, how many requests, how many at once, and by which clients.

use crate::cases::client_kind::ClientKind;
use crate::cases::load_kind::LoadKind;
use crate::environment::ports::SitePorts;
use crate::environment::site::{HOSTS, host_address};
use crate::report::figures::group_thousands;

/// One load and the clients that run it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BenchmarkCase {
    /// Its name on the command line and in the markers of `docs/benchmarks.md`.
    pub(crate) name: &'static str,
    /// The name of the first client in the headings of ratios.
    pub(crate) baseline_name: &'static str,
    /// The size of each body, in bytes.
    pub(crate) body: usize,
    /// The clients. All are compared with the first.
    pub(crate) clients: &'static [ClientKind],
    /// Requests in flight.
    pub(crate) concurrency: usize,
    /// The total number of requests.
    pub(crate) requests: usize,
    /// What distinguishes it from plain HTTP/1.1 to one host.
    pub(crate) kind: LoadKind,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Hosts in a load of [`LoadKind::Coded`].
const CODED_HOSTS: usize = 64;
/// One in this many requests fails in a load of [`LoadKind::Failing`].
pub(crate) const FAILS_ONE_IN: usize = 10;

/// All clients, and the lower bound.
const OTHERS: &[ClientKind] = &[
    ClientKind::Ours,
    ClientKind::OursGlobal,
    ClientKind::Tokio,
    ClientKind::Reqwest,
    ClientKind::HyperUtil,
    ClientKind::Fetch,
    ClientKind::Curl,
    ClientKind::Aiohttp,
    ClientKind::Floor,
];

/// Clients that can fetch from a thousand hosts. One has a pool of twice the concurrency.
const MANY_HOSTS: &[ClientKind] = &[
    ClientKind::Ours,
    ClientKind::SmallPool,
    ClientKind::Tokio,
    ClientKind::Reqwest,
    ClientKind::HyperUtil,
    ClientKind::Fetch,
    ClientKind::Curl,
    ClientKind::Aiohttp,
];

/// Clients with TLS.
const SECURE: &[ClientKind] = &[
    ClientKind::Ours,
    ClientKind::Tokio,
    ClientKind::Reqwest,
    ClientKind::Curl,
    ClientKind::Aiohttp,
];

/// Clients that are commands, and the lower bound.
const COMMANDS: &[ClientKind] = &[ClientKind::Command, ClientKind::Curl, ClientKind::Floor];

/// The same fetcher on one thread and on two.
const THREADS: &[ClientKind] = &[ClientKind::OneThread, ClientKind::TwoThreads];

/// Every adapter, and reqwest for comparison.
const ADAPTERS: &[ClientKind] = &[
    ClientKind::OursGlobal,
    ClientKind::Ours,
    ClientKind::Tokio,
    ClientKind::AsyncStd,
    ClientKind::Isahc,
    ClientKind::Surf,
    ClientKind::OverReqwest,
    ClientKind::Reqwest,
];

const fn plain(name: &'static str, concurrency: usize, requests: usize) -> BenchmarkCase {
    BenchmarkCase {
        name,
        baseline_name: "ours",
        clients: OTHERS,
        body: KIB,
        concurrency,
        requests,
        kind: LoadKind::Plain,
    }
}

impl BenchmarkCase {
    /// All loads, in the order of the document.
    pub(crate) const ALL: [Self; 13] = [
        plain("one", 1, 20_000),
        plain("small", 100, 20_000),
        plain("many", 100, 100_000),
        plain("wide", 1_000, 20_000),
        plain("vast", 5_000, 20_000),
        Self {
            clients: &[
                ClientKind::Ours,
                ClientKind::Tokio,
                ClientKind::Reqwest,
                ClientKind::HyperUtil,
            ],
            ..plain("crowd", 10_000, 40_000)
        },
        Self {
            body: MIB,
            ..plain("large", 100, 2_000)
        },
        Self {
            clients: MANY_HOSTS,
            kind: LoadKind::Hosts,
            ..plain("hosts", 100, 20_000)
        },
        Self {
            kind: LoadKind::Failing,
            ..plain("failing", 100, 20_000)
        },
        Self {
            clients: SECURE,
            kind: LoadKind::Https,
            ..plain("https", 100, 20_000)
        },
        Self {
            clients: SECURE,
            kind: LoadKind::Http2,
            ..plain("http2", 100, 20_000)
        },
        Self {
            baseline_name: "smol",
            clients: ADAPTERS,
            ..plain("adapters", 100, 20_000)
        },
        Self {
            baseline_name: "one",
            body: MIB,
            clients: THREADS,
            kind: LoadKind::Coded,
            ..plain("threads", 100, 4_000)
        },
    ];

    /// The command beside `curl --parallel`.
    pub(crate) const COMMAND: Self = Self {
        baseline_name: "ours",
        clients: COMMANDS,
        ..plain("command", 100, 100_000)
    };

    /// The load of this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let all = Self::ALL.into_iter().chain([Self::COMMAND]);
        all.into_iter().find(|case| case.name == name)
    }

    /// The clients of this case that support its kind of load.
    pub(crate) fn supported_clients(&self) -> impl Iterator<Item = ClientKind> + use<> {
        let kind = self.kind;
        let clients = self.clients.iter().copied();
        clients.filter(move |client| client.can_run(kind))
    }

    pub(crate) fn with_requests(self, requests: usize) -> Self {
        Self { requests, ..self }
    }

    /// The number of requests that fail.
    pub(crate) fn failures(&self) -> usize {
        match self.kind {
            LoadKind::Failing => self.requests / FAILS_ONE_IN,
            _ => 0,
        }
    }

    /// All URLs of the load, on the server at `ports`.
    pub(crate) fn urls(&self, ports: &SitePorts) -> impl Iterator<Item = String> + Send + use<> {
        let (body, kind) = (self.body, self.kind);
        let SitePorts { http, http2, https } = *ports;
        (0..self.requests).map(move |n| match kind {
            LoadKind::Coded => format!(
                "http://{}:{http}/coded/{body}",
                host_address(n % CODED_HOSTS)
            ),
            LoadKind::Failing if n % FAILS_ONE_IN == FAILS_ONE_IN - 1 => {
                format!("http://127.0.0.1:{http}/fail")
            }
            LoadKind::Hosts => format!("http://{}:{http}/bytes/{body}", host_address(n % HOSTS)),
            LoadKind::Http2 => format!("https://127.0.0.1:{http2}/bytes/{body}"),
            LoadKind::Https => format!("https://127.0.0.1:{https}/bytes/{body}"),
            LoadKind::Failing | LoadKind::Plain => format!("http://127.0.0.1:{http}/bytes/{body}"),
        })
    }

    /// A description in one line.
    pub(crate) fn title(&self) -> String {
        let (size, unit) = if self.body >= MIB {
            (self.body / MIB, "MiB")
        } else {
            (self.body / KIB, "KiB")
        };
        let (requests, concurrency) = (
            group_thousands(self.requests as u64),
            group_thousands(self.concurrency as u64),
        );
        let special = match self.kind {
            LoadKind::Coded => format!(", compressed, from {CODED_HOSTS} hosts"),
            LoadKind::Failing => ", every tenth answered 503".to_owned(),
            LoadKind::Hosts => format!(
                ", each to the next of {} hosts",
                group_thousands(HOSTS as u64)
            ),
            LoadKind::Http2 => ", https with HTTP/2".to_owned(),
            LoadKind::Https => ", https with HTTP/1.1".to_owned(),
            LoadKind::Plain => String::new(),
        };
        format!("{requests} requests of {size} {unit}, {concurrency} at once{special}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: SitePorts = SitePorts {
        http: 81,
        http2: 83,
        https: 82,
    };

    #[test]
    fn each_request_goes_to_the_next_host() {
        let case = BenchmarkCase::find("hosts").unwrap();
        let urls: Vec<_> = case.urls(&PORTS).take(1_001).collect();
        assert_eq!(urls[0], "http://127.0.1.0:81/bytes/1024");
        assert_eq!(urls[999], "http://127.0.4.231:81/bytes/1024");
        assert_eq!(urls[1_000], urls[0]);
    }

    #[test]
    fn one_in_ten_fails() {
        let case = BenchmarkCase::find("failing").unwrap().with_requests(200);
        let failing = case.urls(&PORTS).filter(|url| url.ends_with("/fail"));
        assert_eq!((failing.count(), case.failures()), (20, 20));
    }

    #[test]
    fn titles_name_the_load() {
        let title = |name| BenchmarkCase::find(name).unwrap().title();
        assert_eq!(title("one"), "20,000 requests of 1 KiB, 1 at once");
        assert_eq!(title("large"), "2,000 requests of 1 MiB, 100 at once");
        let hosts = "20,000 requests of 1 KiB, 100 at once, each to the next of 1,000 hosts";
        assert_eq!(title("hosts"), hosts);
    }
}
