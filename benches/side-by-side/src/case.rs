//! What is fetched, how often, how much of it at once, and by whom.

use crate::client::Client;

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
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Other clients, and the bound.
const OTHERS: &[Client] = &[
    Client::Ours,
    Client::OursGlobal,
    Client::Reqwest,
    Client::Floor,
];

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
    pub(crate) const ALL: [Self; 5] = [
        Self {
            name: "small",
            base: "ours",
            clients: OTHERS,
            body: KIB,
            concurrency: 100,
            requests: 20_000,
        },
        Self {
            name: "many",
            base: "ours",
            clients: OTHERS,
            body: KIB,
            concurrency: 100,
            requests: 100_000,
        },
        Self {
            name: "wide",
            base: "ours",
            clients: OTHERS,
            body: KIB,
            concurrency: 1_000,
            requests: 100_000,
        },
        Self {
            name: "large",
            base: "ours",
            clients: OTHERS,
            body: MIB,
            concurrency: 100,
            requests: 500,
        },
        Self {
            name: RUNTIMES,
            base: "smol",
            clients: ADAPTERS,
            body: KIB,
            concurrency: 100,
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

    /// The path of every URL.
    pub(crate) fn path(&self) -> String {
        format!("/bytes/{}", self.body)
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
        format!("{requests} requests of {size} {unit}, {concurrency} at once")
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
    fn titles_name_the_load() {
        let titles = Case::ALL.map(|case| case.title());
        assert_eq!(titles[0], "20,000 requests of 1 KiB, 100 at once");
        assert_eq!(titles[3], "500 requests of 1 MiB, 100 at once");
    }
}
