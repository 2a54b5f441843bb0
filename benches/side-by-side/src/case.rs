//! What is fetched, how often, how much of it at once, and by whom.

use crate::client::Client;
use crate::ports::Ports;
use crate::site::{HOSTS, address};

/// One load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Its name, as an option and in the document.
    pub(crate) name: &'static str,
    /// What the first client is called where the others are compared with it.
    pub(crate) base: &'static str,
    /// Bytes of each body.
    pub(crate) body: usize,
    /// Who fetches it. All are compared with the first.
    pub(crate) clients: &'static [Client],
    /// Requests in flight at once.
    pub(crate) concurrency: usize,
    /// Requests in all.
    pub(crate) requests: usize,
    /// What is special about it.
    pub(crate) way: Way,
}

/// What is special about a load. Only nginx serves what is not plain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// Bodies come compressed, each from the next of sixty-four hosts.
    Coded,
    /// Every tenth request is answered 503.
    Failing,
    /// Each request goes to the next of a thousand hosts.
    Hosts,
    /// https with HTTP/2.
    Http2,
    /// https with HTTP/1.1.
    Https,
    /// Nothing: HTTP/1.1 to one host.
    Plain,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The sizes of all bodies.
pub(crate) const BODIES: [usize; 2] = [KIB, MIB];

/// So many hosts a load of compressed bodies has, and one in so many requests fails in one of failures.
const SOME_HOSTS: usize = 64;
pub(crate) const FAILS_ONE_IN: usize = 10;

/// Other clients, and the bound.
const OTHERS: &[Client] = &[
    Client::Ours,
    Client::OursGlobal,
    Client::Tokio,
    Client::Reqwest,
    Client::HyperUtil,
    Client::Fetch,
    Client::Curl,
    Client::Aiohttp,
    Client::Floor,
];

/// Those who can fetch from a thousand hosts, with a pool of twice the concurrency as one of them.
const MANY_HOSTS: &[Client] = &[
    Client::Ours,
    Client::SmallPool,
    Client::Tokio,
    Client::Reqwest,
    Client::HyperUtil,
    Client::Fetch,
    Client::Curl,
    Client::Aiohttp,
];

/// Those who speak TLS.
const SECURE: &[Client] = &[
    Client::Ours,
    Client::Tokio,
    Client::Reqwest,
    Client::Curl,
    Client::Aiohttp,
];

/// What is run by a command line, and the bound.
const COMMANDS: &[Client] = &[Client::Command, Client::Curl, Client::Floor];

/// The same fetcher on one thread and on two.
const THREADS: &[Client] = &[Client::OneThread, Client::TwoThreads];

/// Every adapter, and what they are to be measured by.
const ADAPTERS: &[Client] = &[
    Client::OursGlobal,
    Client::Ours,
    Client::Tokio,
    Client::AsyncStd,
    Client::Isahc,
    Client::Surf,
    Client::OverReqwest,
    Client::Reqwest,
];

/// The case whose costs the README's table of runtimes shows.
pub(crate) const RUNTIMES: &str = "adapters";

const fn plain(name: &'static str, concurrency: usize, requests: usize) -> Case {
    Case {
        name,
        base: "ours",
        clients: OTHERS,
        body: KIB,
        concurrency,
        requests,
        way: Way::Plain,
    }
}

impl Case {
    /// All loads, in the order of the document.
    pub(crate) const ALL: [Self; 13] = [
        plain("one", 1, 20_000),
        plain("small", 100, 20_000),
        plain("many", 100, 100_000),
        plain("wide", 1_000, 20_000),
        plain("vast", 5_000, 20_000),
        Self {
            clients: &[
                Client::Ours,
                Client::Tokio,
                Client::Reqwest,
                Client::HyperUtil,
            ],
            ..plain("crowd", 10_000, 40_000)
        },
        Self {
            body: MIB,
            ..plain("large", 100, 2_000)
        },
        Self {
            clients: MANY_HOSTS,
            way: Way::Hosts,
            ..plain("hosts", 100, 20_000)
        },
        Self {
            way: Way::Failing,
            ..plain("failing", 100, 20_000)
        },
        Self {
            clients: SECURE,
            way: Way::Https,
            ..plain("https", 100, 20_000)
        },
        Self {
            clients: SECURE,
            way: Way::Http2,
            ..plain("http2", 100, 20_000)
        },
        Self {
            base: "smol",
            clients: ADAPTERS,
            ..plain(RUNTIMES, 100, 20_000)
        },
        Self {
            base: "one",
            body: MIB,
            clients: THREADS,
            way: Way::Coded,
            ..plain("threads", 100, 4_000)
        },
    ];

    /// The command and others by their command lines.
    pub(crate) const COMMAND: Self = Self {
        base: "ours",
        clients: COMMANDS,
        ..plain("command", 100, 100_000)
    };

    /// The load of this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let all = Self::ALL.into_iter().chain([Self::COMMAND]);
        all.into_iter().find(|case| case.name == name)
    }

    /// Those who can fetch it, of those who are here.
    pub(crate) fn here(&self) -> impl Iterator<Item = Client> + use<> {
        let way = self.way;
        let able = self
            .clients
            .iter()
            .copied()
            .filter(move |client| client.can(way));
        able.filter(|client| client.is_here())
    }

    pub(crate) fn with_requests(self, requests: usize) -> Self {
        Self { requests, ..self }
    }

    /// How many of its requests fail.
    pub(crate) fn failures(&self) -> usize {
        match self.way {
            Way::Failing => self.requests / FAILS_ONE_IN,
            _ => 0,
        }
    }

    /// All URLs, at the server at `ports`.
    pub(crate) fn urls(&self, ports: &Ports) -> impl Iterator<Item = String> + Send + use<> {
        let (body, way) = (self.body, self.way);
        let Ports { http, http2, https } = *ports;
        (0..self.requests).map(move |n| match way {
            Way::Coded => format!("http://{}:{http}/coded/{body}", address(n % SOME_HOSTS)),
            Way::Failing if n % FAILS_ONE_IN == FAILS_ONE_IN - 1 => {
                format!("http://127.0.0.1:{http}/fail")
            }
            Way::Hosts => format!("http://{}:{http}/bytes/{body}", address(n % HOSTS)),
            Way::Http2 => format!("https://127.0.0.1:{http2}/bytes/{body}"),
            Way::Https => format!("https://127.0.0.1:{https}/bytes/{body}"),
            Way::Failing | Way::Plain => format!("http://127.0.0.1:{http}/bytes/{body}"),
        })
    }

    /// What it is, in a line.
    pub(crate) fn title(&self) -> String {
        let (size, unit) = if self.body >= MIB {
            (self.body / MIB, "MiB")
        } else {
            (self.body / KIB, "KiB")
        };
        let (requests, concurrency) = (
            grouped(self.requests as u64),
            grouped(self.concurrency as u64),
        );
        let special = match self.way {
            Way::Coded => format!(", compressed, from {SOME_HOSTS} hosts"),
            Way::Failing => ", every tenth answered 503".to_owned(),
            Way::Hosts => format!(", each to the next of {} hosts", grouped(HOSTS as u64)),
            Way::Http2 => ", https with HTTP/2".to_owned(),
            Way::Https => ", https with HTTP/1.1".to_owned(),
            Way::Plain => String::new(),
        };
        format!("{requests} requests of {size} {unit}, {concurrency} at once{special}")
    }
}

/// A number with commas between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [7, 999, 1_000, 1_234_567].map(grouped),
            ["7", "999", "1,000", "1,234,567"]
        );
    }

    const PORTS: Ports = Ports {
        http: 81,
        http2: 83,
        https: 82,
    };

    #[test]
    fn each_request_goes_to_the_next_host() {
        let case = Case::find("hosts").unwrap();
        let urls: Vec<_> = case.urls(&PORTS).take(1_001).collect();
        assert_eq!(urls[0], "http://127.0.1.0:81/bytes/1024");
        assert_eq!(urls[999], "http://127.0.4.231:81/bytes/1024");
        assert_eq!(urls[1_000], urls[0]);
    }

    #[test]
    fn one_in_ten_fails() {
        let case = Case::find("failing").unwrap().with_requests(200);
        let failing = case.urls(&PORTS).filter(|url| url.ends_with("/fail"));
        assert_eq!((failing.count(), case.failures()), (20, 20));
    }

    #[test]
    fn titles_name_the_load() {
        let title = |name| Case::find(name).unwrap().title();
        assert_eq!(title("one"), "20,000 requests of 1 KiB, 1 at once");
        assert_eq!(title("large"), "2,000 requests of 1 MiB, 100 at once");
        let hosts = "20,000 requests of 1 KiB, 100 at once, each to the next of 1,000 hosts";
        assert_eq!(title("hosts"), hosts);
    }
}
