//! Stores the cookies that servers set, and adds them to requests (RFC 6265).

use std::collections::{HashMap, VecDeque};

use cookie_store::{Cookie, CookieStore, StoreAction};
use http::{HeaderMap, HeaderValue, header};
use url::{Host, Url};

/// The most cookies of one cookie domain.
const MAX_PER_DOMAIN: usize = 50;
/// The most cookies in all.
const MAX_COOKIES: usize = 3000;
/// The longest `Set-Cookie` field that is accepted, in bytes.
const MAX_FIELD_LENGTH: usize = 8 * 1024;

/// Cookies by site. When it is full, the oldest cookies are evicted.
///
/// A site is a registrable domain such as `example.co.uk` with all hosts below it. No cookie is sent
/// to another site, so only the cookies of a request's site are searched.
#[derive(Debug, Default)]
pub(crate) struct CookieStorage {
    /// The oldest first.
    order: VecDeque<CookieKey>,
    sites: HashMap<String, CookieStore>,
}

/// Identifies a stored cookie.
#[derive(Debug, Eq, PartialEq)]
struct CookieKey {
    domain: String,
    name: String,
    path: String,
    site: String,
}

impl CookieStorage {
    /// Adds the cookies for `url` to a request's header fields, after those that the caller has set.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap, url: &Url) {
        let Some(store) = site_of(url).and_then(|site| self.sites.get(site)) else {
            return;
        };
        let mut cookies = store.matches(url);
        // RFC 6265, 5.4: the longest path first, then the oldest, which is the store's order.
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs = cookies.iter().map(|cookie| {
            let (name, value) = cookie.name_value();
            format!("{name}={value}").into_bytes()
        });
        // One that no field can have does not silence the others.
        let pairs = pairs.filter(|pair| HeaderValue::from_bytes(pair).is_ok());
        let callers = headers.get_all(header::COOKIE).iter();
        let callers = callers.map(|value| value.as_bytes().to_vec());
        let all: Vec<_> = callers.chain(pairs).collect();
        if let Ok(mut value) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
            value.set_sensitive(true);
            if !value.is_empty() {
                headers.insert(header::COOKIE, value);
            }
        }
    }

    /// Stores the cookies that the response from `url` sets, and removes those that it expires.
    pub(crate) fn store(&mut self, url: &Url, headers: &HeaderMap) {
        for field in headers.get_all(header::SET_COOKIE) {
            let text = std::str::from_utf8(field.as_bytes()).ok();
            if let Some(text) = text.filter(|text| text.len() <= MAX_FIELD_LENGTH) {
                _ = self.set(url, text);
            }
        }
    }

    /// All cookies, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cookie<'static>> {
        self.order.iter().filter_map(|key| {
            let store = self.sites.get(&key.site)?;
            store.get_any(&key.domain, &key.path, &key.name)
        })
    }

    /// Sets a cookie from the text of a `Set-Cookie` field. An invalid one is ignored, as user agents
    /// do; returns whether it is valid.
    pub(crate) fn set(&mut self, url: &Url, text: &str) -> bool {
        let (Some(site), Ok(cookie)) = (site_of(url), Cookie::parse(text, url)) else {
            return false;
        };
        let cookie = cookie.into_owned();
        let key = CookieKey {
            domain: String::from(&cookie.domain),
            name: cookie.name().to_owned(),
            path: String::from(&cookie.path),
            site: site.to_owned(),
        };
        // A domain above the site is a public suffix, which unrelated sites share.
        if !is_within(&key.domain, site) {
            return false;
        }
        if !self.sites.contains_key(site) && cookie.is_expired() {
            return true;
        }
        let store = self.sites.entry(site.to_owned()).or_default();
        match store.insert(cookie, url) {
            Ok(StoreAction::Inserted) => self.insert_key(key),
            Ok(StoreAction::ExpiredExisting) => self.remove(&key),
            Ok(StoreAction::UpdatedExisting) => {}
            Err(_) => {
                self.remove_site_if_empty(site);
                return false;
            }
        }
        true
    }

    /// Records the age of a new cookie, and evicts the oldest one if there are too many.
    fn insert_key(&mut self, key: CookieKey) {
        let domain = |other: &CookieKey| other.domain == key.domain;
        let siblings = self.order.iter().filter(|other| domain(other)).count();
        let oldest = if siblings >= MAX_PER_DOMAIN {
            self.order.iter().position(domain)
        } else {
            (self.order.len() >= MAX_COOKIES).then_some(0)
        };
        let evicted = oldest.and_then(|at| self.order.remove(at));
        self.order.push_back(key);
        if let Some(evicted) = evicted {
            self.remove_from_store(&evicted);
        }
    }

    fn remove(&mut self, key: &CookieKey) {
        self.order.retain(|other| other != key);
        self.remove_from_store(key);
    }

    fn remove_from_store(&mut self, key: &CookieKey) {
        if let Some(store) = self.sites.get_mut(&key.site) {
            store.remove(&key.domain, &key.path, &key.name);
        }
        self.remove_site_if_empty(&key.site);
    }

    fn remove_site_if_empty(&mut self, site: &str) {
        let store = self.sites.get(site);
        if store.is_some_and(|store| store.iter_any().next().is_none()) {
            self.sites.remove(site);
        }
    }
}

/// The registrable domain of the URL's host, or the host if it has none.
fn site_of(url: &Url) -> Option<&str> {
    let host = url.host_str()?;
    let domain = match url.host()? {
        Host::Domain(name) => psl::domain_str(name),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    };
    Some(domain.unwrap_or(host))
}

fn is_within(domain: &str, site: &str) -> bool {
    let labels = domain.strip_suffix(site);
    labels.is_some_and(|labels| labels.is_empty() || labels.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    impl CookieStorage {
        fn with(cookies: &[(&str, &str)]) -> Self {
            let mut jar = Self::default();
            for (from, text) in cookies {
                jar.receive(from, text);
            }
            jar
        }

        fn receive(&mut self, from: &str, text: &str) {
            let mut headers = HeaderMap::new();
            headers.append(header::SET_COOKIE, text.parse().unwrap());
            self.store(&url(from), &headers);
        }

        fn sent(&self, to: &str) -> String {
            let mut headers = HeaderMap::new();
            self.add_to(&mut headers, &url(to));
            let value = headers.get(header::COOKIE);
            value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
        }
    }

    #[test]
    fn a_cookie_is_sent_where_its_attributes_say() {
        let (a, http) = ("https://www.a.test/x/y", "http://www.a.test/x/y");
        let table = [
            (a, "k=v", a, true),
            (a, "k=v", "https://www.a.test/x/z", true),
            (a, "k=v", "https://www.a.test/", false),
            (a, "k=v; Path=/", "https://www.a.test/", true),
            (a, "k=v; Path=/x", "https://www.a.test/xx", false),
            (a, "k=v; Path=/", "https://b.test/", false),
            (a, "k=v; Path=/", "https://a.test/", false),
            (a, "k=v; Path=/", "https://www.www.a.test/", false),
            (a, "k=v; Path=/; Domain=a.test", "https://a.test/", true),
            (
                a,
                "k=v; Path=/; Domain=.a.test",
                "https://deep.b.a.test/",
                true,
            ),
            (a, "k=v; Path=/; Domain=a.test", "https://nota.test/", false),
            (a, "k=v; Path=/; Domain=b.test", "https://b.test/", false),
            (a, "k=v; Path=/; Domain=b.a.test", a, false),
            (a, "k=v; Secure", a, true),
            (a, "k=v; Secure", http, false),
            (a, "k=v; HttpOnly", http, true),
            (a, "k=v; Max-Age=60", a, true),
            (a, "k=v; Max-Age=0", a, false),
            (a, "k=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT", a, false),
            (a, "k=v; Expires=Wed, 01 Jan 2200 00:00:00 GMT", a, true),
            (
                "http://127.0.0.1/",
                "k=v; Domain=0.0.1",
                "http://127.0.0.1/",
                false,
            ),
            ("http://127.0.0.1/", "k=v", "http://127.0.0.1:81/", true),
            ("http://127.0.0.1/", "k=v", "http://127.0.0.2/", false),
            ("http://[::1]/", "k=v", "http://[::1]/", true),
            ("http://localhost/", "k=v", "http://localhost/", true),
        ];
        for (from, cookie, to, sent) in table {
            let expected = if sent { "k=v" } else { "" };
            let jar = CookieStorage::with(&[(from, cookie)]);
            assert_eq!(jar.sent(to), expected, "{cookie} from {from} to {to}");
        }
    }

    #[test]
    fn public_suffixes_set_no_cookies_for_other_sites() {
        for (domain, other) in [
            ("co.uk", "b.co.uk"),
            ("test", "b.test"),
            ("github.io", "b.github.io"),
        ] {
            let set = format!("k=v; Domain={domain}; Path=/");
            let jar = CookieStorage::with(&[(&format!("http://a.{domain}/"), &set)]);
            assert_eq!(jar.sent(&format!("http://{other}/")), "");
            assert!(jar.sites.is_empty());
        }
        let own = CookieStorage::with(&[("http://github.io/", "k=v; Domain=github.io")]);
        assert_eq!(own.sent("http://github.io/"), "k=v");
        assert_eq!(own.sent("http://a.github.io/"), "");
    }

    #[test]
    fn long_paths_come_first_then_old_cookies() {
        let jar = CookieStorage::with(&[
            ("http://a.test/", "z=1"),
            ("http://a.test/", "y=2"),
            ("http://a.test/", "x=3; Path=/deep"),
        ]);
        assert_eq!(jar.sent("http://a.test/deep/er"), "x=3; z=1; y=2");
    }

    #[test]
    fn the_callers_cookies_come_first_and_the_value_is_sensitive() {
        let jar = CookieStorage::with(&[("http://a.test/", "k=v")]);
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("own=1"));
        jar.add_to(&mut headers, &url("http://a.test/"));
        assert_eq!(headers[header::COOKIE], "own=1; k=v");
        assert!(headers[header::COOKIE].is_sensitive());
    }

    #[test]
    fn a_cookie_is_replaced_and_unset() {
        let mut jar = CookieStorage::with(&[("http://a.test/", "k=1"), ("http://a.test/", "k=2")]);
        assert_eq!(
            (jar.sent("http://a.test/").as_str(), jar.order.len()),
            ("k=2", 1)
        );
        jar.receive("http://a.test/", "k=; Max-Age=0");
        assert_eq!(jar.sent("http://a.test/"), "");
        assert!(jar.sites.is_empty() && jar.order.is_empty());
    }

    #[test]
    fn the_newest_50_cookies_of_a_host_and_3000_in_all_are_stored() {
        let mut jar = CookieStorage::default();
        for n in 0..60 {
            jar.receive("http://a.test/", &format!("k{n}=v"));
        }
        let sent = jar.sent("http://a.test/");
        assert_eq!(sent.split("; ").count(), 50);
        assert!(sent.starts_with("k10=v"), "{sent}");
        for n in 0..3_100 {
            jar.receive(&format!("http://h{n}.test/"), "k=v");
        }
        assert_eq!((jar.order.len(), jar.sites.len()), (3_000, 3_000));
        assert_eq!(jar.sent("http://h99.test/"), "");
        assert_eq!(jar.sent("http://h100.test/"), "k=v");
    }

    #[test]
    fn an_invalid_cookie_is_ignored() {
        let mut jar = CookieStorage::with(&[("http://a.test/", ""), ("http://a.test/", "no pair")]);
        jar.receive(
            "http://a.test/",
            &format!("k={}", "v".repeat(MAX_FIELD_LENGTH)),
        );
        assert!(jar.sites.is_empty());
    }
}
