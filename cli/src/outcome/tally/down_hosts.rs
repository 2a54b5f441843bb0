//! Hosts that were given up, in bounded memory.

use std::collections::BTreeMap;

use fetch_driver::{ErrorKind, FetchError, Outcome};

/// The most hosts with separate numbers.
const MAX_HOSTS: usize = 1_000;

/// The URLs that failed because their host was given up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DownHost {
    /// The latest failure at the host.
    pub(crate) cause: String,
    pub(crate) failed: u64,
}

/// The hosts that were given up, by origin.
#[derive(Debug, Default)]
pub(crate) struct DownHosts {
    hosts: BTreeMap<String, DownHost>,
}

impl DownHosts {
    /// Counts the outcome if its host was given up.
    pub(crate) fn record(&mut self, outcome: &Outcome) {
        let Some(ErrorKind::Fetch(FetchError::HostDown { cause, .. })) =
            outcome.error().map(fetch_driver::Error::kind)
        else {
            return;
        };
        let Some(origin) = origin(outcome) else {
            return;
        };
        if self.hosts.len() >= MAX_HOSTS && !self.hosts.contains_key(&origin) {
            return;
        }
        let cause = cause.to_string();
        let host = self.hosts.entry(origin).or_insert(DownHost {
            cause: String::new(),
            failed: 0,
        });
        host.cause = cause;
        host.failed += 1;
    }

    pub(crate) fn get(&self, origin: &str) -> Option<&DownHost> {
        self.hosts.get(origin)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &DownHost)> {
        self.hosts.iter().map(|(name, host)| (name.as_str(), host))
    }
}

/// The origin of the host that was given up; `None` if it is only known from a redirect.
fn origin(outcome: &Outcome) -> Option<String> {
    match outcome.attempts.last() {
        Some(attempt)
            if attempt
                .status
                .is_some_and(|status| (300..400).contains(&status)) =>
        {
            None
        }
        Some(attempt) => Some(fetch_proto::url_origin(&attempt.url).into_owned()),
        None => {
            let url = url::Url::parse(&outcome.url).ok()?;
            Some(fetch_proto::url_origin(&url).into_owned())
        }
    }
}
