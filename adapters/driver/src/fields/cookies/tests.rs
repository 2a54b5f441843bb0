//! What is stored, and what is sent where.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, header};
use url::Url;

use super::storage::CookieStorage;

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
        self.store(&url(from), &headers, SystemTime::now());
    }

    fn sent(&mut self, to: &str) -> String {
        let mut headers = HeaderMap::new();
        self.add_to(&mut headers, &url(to), SystemTime::now());
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
        let mut jar = CookieStorage::with(&[(from, cookie)]);
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
        let mut jar = CookieStorage::with(&[(&format!("http://a.{domain}/"), &set)]);
        assert_eq!(jar.sent(&format!("http://{other}/")), "");
        assert!(jar.is_empty());
    }
    let mut own = CookieStorage::with(&[("http://github.io/", "k=v; Domain=github.io")]);
    assert_eq!(own.sent("http://github.io/"), "k=v");
    assert_eq!(own.sent("http://a.github.io/"), "");
}

#[test]
fn a_cookie_of_an_address_is_for_this_host_only_whatever_its_domain() {
    for (host, domain) in [("127.0.0.1", ".127.0.0.1"), ("[::1]", "[::1]")] {
        let (at, set) = (format!("http://{host}/"), format!("k=v; Domain={domain}"));
        let mut jar = CookieStorage::with(&[(&at, &set)]);
        let cookies = jar.cookies(SystemTime::now());
        assert!(cookies[0].host_only, "{host}");
        assert_eq!(cookies[0].domain, host);
        assert_eq!(jar.sent(&at), "k=v");
        let other = CookieStorage::with(&[(&at, "k=v; Domain=0.0.1")]);
        assert!(other.is_empty());
    }
}

#[test]
fn long_paths_come_first_then_old_cookies() {
    let mut jar = CookieStorage::with(&[
        ("http://a.test/", "z=1"),
        ("http://a.test/", "y=2"),
        ("http://a.test/", "x=3; Path=/deep"),
    ]);
    assert_eq!(jar.sent("http://a.test/deep/er"), "x=3; z=1; y=2");
}

#[test]
fn the_callers_cookies_come_first_and_the_value_is_sensitive() {
    let mut jar = CookieStorage::with(&[("http://a.test/", "k=v")]);
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, HeaderValue::from_static("own=1"));
    jar.add_to(&mut headers, &url("http://a.test/"), SystemTime::now());
    assert_eq!(headers[header::COOKIE], "own=1; k=v");
    assert!(headers[header::COOKIE].is_sensitive());
}

#[test]
fn a_cookie_is_replaced_and_unset() {
    let mut jar = CookieStorage::with(&[("http://a.test/", "k=1"), ("http://a.test/", "k=2")]);
    assert_eq!((jar.sent("http://a.test/").as_str(), jar.len()), ("k=2", 1));
    jar.receive("http://a.test/", "k=; Max-Age=0");
    assert_eq!(jar.sent("http://a.test/"), "");
    assert!(jar.is_empty());
}

#[test]
fn cookies_used_longest_ago_are_evicted_and_secure_ones_last() {
    let mut jar = CookieStorage::default();
    jar.receive("https://a.test/", "safe=v; Secure");
    for n in 0..180 {
        jar.receive("https://a.test/", &format!("k{n}=v; Path=/p{n}"));
    }
    assert_eq!(jar.len(), 150);
    assert_eq!(jar.sent("https://a.test/p30"), "safe=v");
    assert_eq!(jar.sent("https://a.test/p31"), "k31=v; safe=v");
    for n in 0..20 {
        jar.receive("https://a.test/", &format!("more{n}=v; Path=/p{n}"));
        assert_eq!(jar.sent("https://a.test/p31"), "k31=v; safe=v");
    }
    jar.receive("https://a.test/", "one=v; Path=/one");
    for n in 0..3_130 {
        jar.receive(&format!("http://h{n}.test/"), "k=v");
    }
    assert_eq!(jar.len(), 3_000);
    assert_eq!(jar.sent("http://h3129.test/"), "k=v");
    assert_eq!(jar.sent("https://a.test/"), "safe=v");
    assert_eq!(jar.sent("https://a.test/one"), "safe=v");
}

#[test]
fn a_field_has_at_most_8_kib_of_cookies() {
    let mut jar = CookieStorage::default();
    for n in 0..9 {
        jar.receive("http://a.test/", &format!("k{n}={}", "v".repeat(1000)));
    }
    let sent = jar.sent("http://a.test/");
    assert_eq!(sent.split("; ").count(), 8);
    assert!(sent.starts_with("k0=v"));
}

#[test]
fn names_with_a_prefix_keep_its_promise() {
    let (https, http) = ("https://www.a.test/x", "http://www.a.test/x");
    for (from, cookie, stored) in [
        (https, "__Secure-k=v; Secure", true),
        (https, "__Secure-k=v", false),
        (https, "__SECURE-k=v", false),
        (http, "__Secure-k=v; Secure", false),
        (https, "__Host-k=v; Secure; Path=/", true),
        (https, "__Host-k=v; Secure", false),
        (https, "__Host-k=v; Path=/", false),
        (https, "__Host-k=v; Secure; Path=/x", false),
        (
            https,
            "__Host-k=v; Secure; Path=/; Domain=www.a.test",
            false,
        ),
        (https, "__Host-k=v; Secure; Path=/; Domain=", false),
        (https, "__host-k=v; Path=/", false),
        (https, "__Host-=v; Path=/", false),
        (https, "=__Host-k=v; Secure; Path=/", false),
        (https, "__Secure-k", false),
        (https, "__Hostk=v", true),
    ] {
        let jar = CookieStorage::with(&[(from, cookie)]);
        assert_eq!(!jar.is_empty(), stored, "{cookie} from {from}");
    }
}

#[test]
fn http_neither_sets_nor_overlays_secure_cookies() {
    let (https, http) = ("https://www.a.test/x/", "http://www.a.test/x/y/");
    let secure = "k=safe; Secure; Path=/x";
    for (cookie, sent) in [
        ("k=v", "k=safe"),
        ("k=v; Path=/x", "k=safe"),
        ("k=v; Domain=a.test; Path=/x/y", "k=safe"),
        // Another path is not overlaid.
        ("k=v; Path=/", "k=safe; k=v"),
        ("other=v; Path=/x", "k=safe; other=v"),
    ] {
        let mut jar = CookieStorage::with(&[(https, secure), (http, cookie)]);
        assert_eq!(jar.sent(https), sent, "{cookie}");
    }
    assert!(CookieStorage::with(&[(http, "k=v; Secure")]).is_empty());
    let mut jar = CookieStorage::with(&[(https, secure), (https, "k=new; Path=/x")]);
    assert_eq!(jar.sent(http), "k=new", "https may replace it");
}

#[test]
fn a_replaced_cookie_keeps_its_place_and_a_host_cookie_is_another_one() {
    let at = "http://a.test/";
    let mut jar = CookieStorage::with(&[(at, "k=1"), (at, "l=2"), (at, "k=3")]);
    assert_eq!(jar.sent(at), "k=3; l=2");
    jar.receive(at, "k=4; Domain=a.test");
    assert_eq!(jar.sent(at), "k=3; l=2; k=4");
    jar.receive(at, "k=; Expires=Sunday, 06-Nov-94 8:49:37 UTC");
    assert_eq!(jar.sent(at), "l=2; k=4", "a log-out in any form of date");
}

#[test]
fn a_cookie_lives_at_most_400_days() {
    let day = Duration::from_secs(86_400);
    let now = SystemTime::now();
    let mut headers = HeaderMap::new();
    let field = HeaderValue::from_static("k=v; Max-Age=999999999999");
    headers.append(header::SET_COOKIE, field);
    let mut jar = CookieStorage::default();
    jar.store(&url("http://a.test/"), &headers, now);
    assert_eq!(jar.cookies(now + day * 399).len(), 1);
    assert_eq!(jar.cookies(now + day * 401).len(), 0);
}

#[test]
fn bytes_that_are_no_text_are_sent_back() {
    let mut headers = HeaderMap::new();
    let field = HeaderValue::from_bytes(b"k=caf\xe9").unwrap();
    headers.append(header::SET_COOKIE, field);
    let (mut jar, now) = (CookieStorage::default(), SystemTime::now());
    jar.store(&url("http://a.test/"), &headers, now);
    let mut request = HeaderMap::new();
    jar.add_to(&mut request, &url("http://a.test/"), now);
    assert_eq!(
        request[header::COOKIE],
        HeaderValue::from_bytes(b"k=caf\xe9").unwrap()
    );
}

#[test]
fn a_field_that_is_no_cookie_is_ignored() {
    let mut jar = CookieStorage::with(&[("http://a.test/", ""), ("http://a.test/", "=")]);
    jar.receive("http://a.test/", &format!("k={}", "v".repeat(4096)));
    jar.receive("http://a.test/", "k=v; Domain=b.test");
    assert!(jar.is_empty());
    jar.receive("http://a.test/", "no pair");
    assert_eq!(jar.sent("http://a.test/"), "no pair");
}
