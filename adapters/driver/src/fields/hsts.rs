//! HTTP Strict Transport Security (RFC 6797).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::header::STRICT_TRANSPORT_SECURITY;
use url::{Host, Url};

use crate::lock::lock;
use crate::transport::response_headers::ResponseHeaders;

/// The most hosts that are stored. When it is full, new hosts are ignored.
const MAX_HOSTS: usize = 100_000;

/// The hosts that are reached by https only: http URLs of theirs become https URLs, in requests and in
/// redirects. Clones share the same hosts.
///
/// Hosts are added by the field `Strict-Transport-Security` of https responses. IP addresses are never
/// upgraded.
///
/// ```
/// use fetch_driver::{HstsHost, HstsStore};
///
/// let hosts = HstsStore::new();
/// hosts.insert("a.test", HstsHost { expires: None, include_subdomains: true });
/// let upgraded = hosts.upgrade(&"http://www.a.test:80/x".parse()?);
/// assert_eq!(upgraded.unwrap().as_str(), "https://www.a.test/x");
/// assert_eq!(hosts.upgrade(&"http://b.test/".parse()?), None);
/// # Ok::<(), fetch_driver::url::ParseError>(())
/// ```
#[derive(Clone, Default)]
pub struct HstsStore(Arc<Mutex<HashMap<Box<str>, HstsHost>>>);

/// The entry of a host in a [`HstsStore`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HstsHost {
    /// Until when it applies; `None` for ever.
    pub expires: Option<SystemTime>,
    /// Whether it applies to all hosts below this one, too.
    pub include_subdomains: bool,
}

impl HstsHost {
    fn is_valid(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

impl HstsStore {
    /// No hosts.
    ///
    /// ```
    /// assert!(fetch_driver::HstsStore::new().hosts().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a host, or replaces what is known about it. Its name is in lower case, without a dot at the
    /// end.
    ///
    /// ```
    /// # use fetch_driver::{HstsHost, HstsStore};
    /// let hosts = HstsStore::new();
    /// hosts.insert("a.test", HstsHost { expires: None, include_subdomains: false });
    /// assert_eq!(hosts.hosts().len(), 1);
    /// ```
    pub fn insert(&self, host: &str, known: HstsHost) {
        let mut hosts = lock(&self.0);
        if hosts.len() < MAX_HOSTS || hosts.contains_key(host) {
            hosts.insert(host.into(), known);
        }
    }

    /// All hosts that have not expired, in the order of their names.
    ///
    /// ```
    /// let hosts = fetch_driver::HstsStore::new();
    /// assert_eq!(hosts.hosts(), []);
    /// ```
    #[must_use]
    pub fn hosts(&self) -> Vec<(String, HstsHost)> {
        let now = SystemTime::now();
        let hosts = lock(&self.0);
        let valid = hosts.iter().filter(|(_, known)| known.is_valid(now));
        let mut all: Vec<_> = valid
            .map(|(host, known)| (String::from(&**host), *known))
            .collect();
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// The https URL in place of an http URL of a host that is stored; `None` for all others. Port 80
    /// becomes 443, other ports stay.
    ///
    /// ```
    /// let hosts = fetch_driver::HstsStore::new();
    /// assert_eq!(hosts.upgrade(&"http://a.test/".parse()?), None);
    /// # Ok::<(), fetch_driver::url::ParseError>(())
    /// ```
    #[must_use]
    pub fn upgrade(&self, url: &Url) -> Option<Url> {
        let Some(Host::Domain(name)) = url.host() else {
            return None;
        };
        if url.scheme() != "http" || !self.contains(name.strip_suffix('.').unwrap_or(name)) {
            return None;
        }
        let mut upgraded = url.clone();
        upgraded.set_scheme("https").ok()?;
        Some(upgraded)
    }

    /// Whether the host, or a host above it with its subdomains, is stored.
    fn contains(&self, host: &str) -> bool {
        let hosts = lock(&self.0);
        if hosts.is_empty() {
            return false;
        }
        let now = SystemTime::now();
        let applies = |name: &str, is_below: bool| {
            let known = hosts.get(name).filter(|known| known.is_valid(now));
            known.is_some_and(|known| !is_below || known.include_subdomains)
        };
        let parents = host.match_indices('.').map(|(at, _)| &host[at + 1..]);
        applies(host, false) || parents.into_iter().any(|parent| applies(parent, true))
    }

    /// Stores what a response from `url` says, if it came by https.
    pub(crate) fn store(&self, url: &Url, headers: &ResponseHeaders) {
        let field = headers.first_value(&STRICT_TRANSPORT_SECURITY);
        let (Some(Host::Domain(name)), Some(field)) = (url.host(), field) else {
            return;
        };
        let known = std::str::from_utf8(field)
            .ok()
            .and_then(|text| parse(text, SystemTime::now()));
        let name = name.strip_suffix('.').unwrap_or(name);
        match known {
            Some(known) if url.scheme() == "https" && known.is_valid(SystemTime::now()) => {
                self.insert(name, known);
            }
            Some(_) if url.scheme() == "https" => drop(lock(&self.0).remove(name)),
            _ => {}
        }
    }
}

/// Parses the field (RFC 6797, section 6.1). `None` if it is not valid.
fn parse(text: &str, now: SystemTime) -> Option<HstsHost> {
    let (mut age, mut include_subdomains) = (None, false);
    for directive in text
        .split(';')
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "max-age" if age.is_none() => {
                let digits = value.trim().trim_matches('"');
                let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                // A number that is too large is as good as for ever.
                age = Some(is_number.then(|| digits.parse().unwrap_or(u64::MAX))?);
            }
            "includesubdomains" if !include_subdomains => include_subdomains = true,
            "max-age" | "includesubdomains" => return None,
            _ => {}
        }
    }
    Some(HstsHost {
        expires: now.checked_add(Duration::from_secs(age?)),
        include_subdomains,
    })
}

impl fmt::Debug for HstsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HstsStore({} hosts)", lock(&self.0).len())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn receive(hosts: &HstsStore, url: &str, field: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(STRICT_TRANSPORT_SECURITY, field.parse().unwrap());
        hosts.store(&url.parse().unwrap(), &headers.into());
    }

    fn upgraded(hosts: &HstsStore, url: &str) -> Option<String> {
        hosts.upgrade(&url.parse().unwrap()).map(String::from)
    }

    #[test]
    fn http_urls_of_stored_hosts_become_https() {
        let hosts = HstsStore::new();
        receive(&hosts, "https://A.test/", "max-age=60; includeSubDomains");
        receive(&hosts, "https://b.test./", "Max-Age=\"60\"");
        for (url, expected) in [
            ("http://a.test/x?y#z", Some("https://a.test/x?y#z")),
            ("http://a.test:80/", Some("https://a.test/")),
            ("http://a.test:8080/", Some("https://a.test:8080/")),
            ("http://a.test./", Some("https://a.test./")),
            ("http://www.a.test/", Some("https://www.a.test/")),
            ("http://nota.test/", None),
            ("http://b.test/", Some("https://b.test/")),
            ("http://www.b.test/", None),
            ("https://a.test/", None),
        ] {
            assert_eq!(upgraded(&hosts, url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn only_valid_fields_of_https_hosts_are_stored() {
        let hosts = HstsStore::new();
        for (url, field) in [
            ("http://a.test/", "max-age=60"),
            ("https://127.0.0.1/", "max-age=60"),
            ("https://a.test/", "includeSubDomains"),
            ("https://a.test/", "max-age=x"),
            ("https://a.test/", "max-age=1; max-age=2"),
            ("https://a.test/", "max-age=0"),
        ] {
            receive(&hosts, url, field);
            assert!(hosts.hosts().is_empty(), "{url} {field}");
        }
    }

    #[test]
    fn a_host_is_removed_or_expires() {
        let hosts = HstsStore::new();
        receive(
            &hosts,
            "https://a.test/",
            "max-age=99999999999999999999999; preload",
        );
        assert_eq!(hosts.hosts()[0].1.expires, None);
        receive(&hosts, "https://a.test/", "max-age=0");
        assert_eq!(upgraded(&hosts, "http://a.test/"), None);
        let expired = HstsHost {
            expires: Some(SystemTime::UNIX_EPOCH),
            include_subdomains: false,
        };
        hosts.insert("a.test", expired);
        assert_eq!(
            (upgraded(&hosts, "http://a.test/"), hosts.hosts().len()),
            (None, 0)
        );
    }
}
