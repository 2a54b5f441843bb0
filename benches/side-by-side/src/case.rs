//! What is fetched, how often, how much of it at once, and by whom.

use crate::client::Client;
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
    /// Whether each request goes to the next of a thousand hosts.
    pub(crate) hosts: bool,
    /// Requests in all.
    pub(crate) requests: usize,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The sizes of all bodies.
pub(crate) const BODIES: [usize; 2] = [KIB, MIB];

/// Other clients, and the bound.
const OTHERS: &[Client] = &[
    Client::Ours,
    Client::OursGlobal,
    Client::Tokio,
    Client::Reqwest,
    Client::HyperUtil,
    Client::Curl,
    Client::Aiohttp,
    Client::Floor,
];

/// Those who can fetch from a thousand hosts: all but the last.
const WITHOUT_FLOOR: &[Client] = OTHERS.split_at(OTHERS.len() - 1).0;

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

impl Case {
    /// All loads, in the order of the document.
    pub(crate) const ALL: [Self; 8] = [
        Self {
            name: "one",
            base: "ours",
            clients: OTHERS,
            body: KIB,
            concurrency: 1,
            hosts: false,
            requests: 20_000,
        },
        Self {
            name: "small",
            base: "ours",
            clients: OTHERS,
            body: KIB,
            concurrency: 100,
            hosts: false,
            requests: 20_000,
        },
        Self {
            name: "many",
            base: "ours",
            clients: OTHERS,
            body: KIB,
            concurrency: 100,
            hosts: false,
            requests: 100_000,
        },
        Self {
            name: "wide",
            base: "ours",
            clients: OTHERS,
            body: KIB,
            concurrency: 1_000,
            hosts: false,
            requests: 20_000,
        },
        Self {
            name: "vast",
            base: "ours",
            clients: OTHERS,
            body: KIB,
            concurrency: 5_000,
            hosts: false,
            requests: 20_000,
        },
        Self {
            name: "large",
            base: "ours",
            clients: OTHERS,
            body: MIB,
            concurrency: 100,
            hosts: false,
            requests: 2_000,
        },
        Self {
            name: "hosts",
            base: "ours",
            clients: WITHOUT_FLOOR,
            body: KIB,
            concurrency: 100,
            hosts: true,
            requests: 20_000,
        },
        Self {
            name: RUNTIMES,
            base: "smol",
            clients: ADAPTERS,
            body: KIB,
            concurrency: 100,
            hosts: false,
            requests: 20_000,
        },
    ];

    /// The load of this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|case| case.name == name)
    }

    pub(crate) fn with_requests(self, requests: usize) -> Self {
        Self { requests, ..self }
    }

    /// All URLs, at the server at `base`.
    pub(crate) fn urls(&self, base: &str) -> impl Iterator<Item = String> + Send + use<> {
        let (body, hosts) = (self.body, self.hosts);
        let port = base.rsplit(':').next().unwrap_or_default().to_owned();
        let base = base.to_owned();
        (0..self.requests).map(move |n| {
            if hosts {
                format!("http://{}:{port}/bytes/{body}", address(n % HOSTS))
            } else {
                format!("{base}/bytes/{body}")
            }
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
        let hosts = if self.hosts {
            format!(", each to the next of {} hosts", grouped(HOSTS as u64))
        } else {
            String::new()
        };
        format!("{requests} requests of {size} {unit}, {concurrency} at once{hosts}")
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

    #[test]
    fn each_request_goes_to_the_next_host() {
        let case = Case::find("hosts").unwrap();
        let urls: Vec<_> = case.urls("http://127.0.0.1:81").take(1_001).collect();
        assert_eq!(urls[0], "http://127.0.1.0:81/bytes/1024");
        assert_eq!(urls[999], "http://127.0.4.231:81/bytes/1024");
        assert_eq!(urls[1_000], urls[0]);
    }

    #[test]
    fn titles_name_the_load() {
        let titles = Case::ALL.map(|case| case.title());
        assert_eq!(titles[0], "20,000 requests of 1 KiB, 1 at once");
        assert_eq!(titles[5], "2,000 requests of 1 MiB, 100 at once");
        let hosts = "20,000 requests of 1 KiB, 100 at once, each to the next of 1,000 hosts";
        assert_eq!(titles[6], hosts);
    }
}
