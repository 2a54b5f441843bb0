//! A jar of cookies: what servers set, sent back where RFC 6265 says.

use std::collections::{HashMap, VecDeque};

use cookie_store::{Cookie, CookieStore, StoreAction};
use http::{HeaderMap, HeaderValue, header};
use url::{Host, Url};

/// The most cookies of one cookie domain.
const PER_DOMAIN: usize = 50;
/// The most cookies in all.
const IN_ALL: usize = 3000;
/// The longest `Set-Cookie` field that is kept, in bytes.
const LONGEST: usize = 8 * 1024;

/// Cookies by site. The oldest make room for new ones.
///
/// A site is a registrable domain such as `example.co.uk`, with all hosts below it: no cookie may
/// cross its border, so that a request looks through its own site's cookies only.
#[derive(Debug, Default)]
pub(crate) struct Jar {
    /// The oldest in front.
    order: VecDeque<Place>,
    sites: HashMap<String, CookieStore>,
}

/// Where in the jar a cookie is.
#[derive(Debug, Eq, PartialEq)]
struct Place {
    domain: String,
    name: String,
    path: String,
    site: String,
}

impl Jar {
    /// Adds the cookies for `url` to a request's fields, behind those the caller has set.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap, url: &Url) {
        let Some(store) = site(url).and_then(|site| self.sites.get(site)) else {
            return;
        };
        let mut cookies = store.matches(url);
        // RFC 6265, 5.4: the longest path first, then the oldest, as the store has them.
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs = cookies.iter().map(|cookie| {
            let (name, value) = cookie.name_value();
            format!("{name}={value}").into_bytes()
        });
        let own = headers.get_all(header::COOKIE).iter();
        let own = own.map(|value| value.as_bytes().to_vec());
        let all: Vec<_> = own.chain(pairs).collect();
        if let Ok(mut value) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
            value.set_sensitive(true);
            if !value.is_empty() {
                headers.insert(header::COOKIE, value);
            }
        }
    }

    /// Keeps the cookies that the response from `url` sets, and drops those it unsets.
    pub(crate) fn store(&mut self, url: &Url, headers: &HeaderMap) {
        for field in headers.get_all(header::SET_COOKIE) {
            let text = std::str::from_utf8(field.as_bytes()).ok();
            if let Some(text) = text.filter(|text| text.len() <= LONGEST) {
                self.set(url, text);
            }
        }
    }

    /// All cookies, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cookie<'static>> {
        self.order.iter().filter_map(|place| {
            let store = self.sites.get(&place.site)?;
            store.get_any(&place.domain, &place.path, &place.name)
        })
    }

    /// What cannot be a cookie of `url` is left out in silence, as user agents do.
    pub(crate) fn set(&mut self, url: &Url, text: &str) {
        let (Some(site), Ok(cookie)) = (site(url), Cookie::parse(text, url)) else {
            return;
        };
        let cookie = cookie.into_owned();
        let place = Place {
            domain: String::from(&cookie.domain),
            name: cookie.name().to_owned(),
            path: String::from(&cookie.path),
            site: site.to_owned(),
        };
        // A domain above the site is a public suffix, shared by strangers.
        if !is_within(&place.domain, site) || !self.sites.contains_key(site) && cookie.is_expired()
        {
            return;
        }
        let store = self.sites.entry(site.to_owned()).or_default();
        match store.insert(cookie, url) {
            Ok(StoreAction::Inserted) => self.admit(place),
            Ok(StoreAction::ExpiredExisting) => self.remove(&place),
            Ok(StoreAction::UpdatedExisting) => {}
            Err(_) => self.drop_if_empty(site),
        }
    }

    /// Takes note of a new cookie and makes room for it.
    fn admit(&mut self, place: Place) {
        let domain = |other: &Place| other.domain == place.domain;
        let siblings = self.order.iter().filter(|other| domain(other)).count();
        let oldest = if siblings >= PER_DOMAIN {
            self.order.iter().position(domain)
        } else {
            (self.order.len() >= IN_ALL).then_some(0)
        };
        let evicted = oldest.and_then(|at| self.order.remove(at));
        self.order.push_back(place);
        if let Some(evicted) = evicted {
            self.forget(&evicted);
        }
    }

    fn remove(&mut self, place: &Place) {
        self.order.retain(|other| other != place);
        self.forget(place);
    }

    fn forget(&mut self, place: &Place) {
        if let Some(store) = self.sites.get_mut(&place.site) {
            store.remove(&place.domain, &place.path, &place.name);
        }
        self.drop_if_empty(&place.site);
    }

    fn drop_if_empty(&mut self, site: &str) {
        let store = self.sites.get(site);
        if store.is_some_and(|store| store.iter_any().next().is_none()) {
            self.sites.remove(site);
        }
    }
}

/// The registrable domain of the URL's host, or the host if it has none.
fn site(url: &Url) -> Option<&str> {
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

    impl Jar {
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
    fn a_cookie_goes_where_its_attributes_say() {
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
            let jar = Jar::with(&[(from, cookie)]);
            assert_eq!(jar.sent(to), expected, "{cookie} from {from} to {to}");
        }
    }

    #[test]
    fn public_suffixes_set_nothing_for_strangers() {
        for (domain, other) in [
            ("co.uk", "b.co.uk"),
            ("test", "b.test"),
            ("github.io", "b.github.io"),
        ] {
            let set = format!("k=v; Domain={domain}; Path=/");
            let jar = Jar::with(&[(&format!("http://a.{domain}/"), &set)]);
            assert_eq!(jar.sent(&format!("http://{other}/")), "");
            assert!(jar.sites.is_empty());
        }
        let own = Jar::with(&[("http://github.io/", "k=v; Domain=github.io")]);
        assert_eq!(own.sent("http://github.io/"), "k=v");
        assert_eq!(own.sent("http://a.github.io/"), "");
    }

    #[test]
    fn long_paths_come_first_then_old_cookies() {
        let jar = Jar::with(&[
            ("http://a.test/", "z=1"),
            ("http://a.test/", "y=2"),
            ("http://a.test/", "x=3; Path=/deep"),
        ]);
        assert_eq!(jar.sent("http://a.test/deep/er"), "x=3; z=1; y=2");
    }

    #[test]
    fn the_callers_own_field_stays_in_front_and_the_value_is_secret() {
        let jar = Jar::with(&[("http://a.test/", "k=v")]);
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("own=1"));
        jar.add_to(&mut headers, &url("http://a.test/"));
        assert_eq!(headers[header::COOKIE], "own=1; k=v");
        assert!(headers[header::COOKIE].is_sensitive());
    }

    #[test]
    fn a_cookie_is_replaced_and_unset() {
        let mut jar = Jar::with(&[("http://a.test/", "k=1"), ("http://a.test/", "k=2")]);
        assert_eq!(
            (jar.sent("http://a.test/").as_str(), jar.order.len()),
            ("k=2", 1)
        );
        jar.receive("http://a.test/", "k=; Max-Age=0");
        assert_eq!(jar.sent("http://a.test/"), "");
        assert!(jar.sites.is_empty() && jar.order.is_empty());
    }

    #[test]
    fn a_host_keeps_its_newest_50_and_the_jar_3000() {
        let mut jar = Jar::default();
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
    fn what_is_no_cookie_is_left_out() {
        let mut jar = Jar::with(&[("http://a.test/", ""), ("http://a.test/", "no pair")]);
        jar.receive("http://a.test/", &format!("k={}", "v".repeat(LONGEST)));
        assert!(jar.sites.is_empty());
    }
}
