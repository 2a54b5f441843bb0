//! Requests through small scripted proxies to the test site.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use fetch_driver::{
    DnsResolver, FailureKind, OutgoingRequest, Proxy, ProxyRules, ResolvedAddresses,
};
use fetch_http::{HttpConfig, TlsOptions};
use fetch_testbed::{Certificate, Site};
use futures_lite::future;
use smol::block_on;

#[cfg(feature = "http2")]
use super::socks::socks_proxy;
use crate::client::{TestClient, client_with, fetch, get, send, wait_all_closed};
use crate::raw::{RawServer, closed_port, read_head};

/// The requests that a proxy received.
pub(crate) type RequestLog<T> = Arc<Mutex<Vec<T>>>;

pub(crate) fn through(url: &str) -> HttpConfig {
    HttpConfig::new().proxy(ProxyRules::new().all(Proxy::parse(url).unwrap()))
}

pub(crate) fn trusting(config: HttpConfig, site: &Site) -> TestClient {
    let ca = site.ca_pem().unwrap();
    let options = TlsOptions::new().add_root_pem(ca.as_bytes());
    client_with(config.tls(options.unwrap()))
}

pub(crate) fn secure_site() -> Site {
    let builder = Site::builder().tls(Certificate::Good);
    builder.start().unwrap()
}

/// Copies bytes in both directions until both sides have ended.
pub(crate) fn splice(client: TcpStream, server: TcpStream) {
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let there = thread::spawn(move || copy(from, to));
    copy(server, client);
    let _ = there.join();
}

/// Connects to a port on this machine, whatever the host name.
fn dial(authority: &str) -> TcpStream {
    let port = authority.rsplit(':').next().unwrap().parse().unwrap();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap()
}

/// An HTTP proxy that requires this value of `Proxy-Authorization`, if any.
fn http_proxy(wanted: Option<&'static str>) -> (RawServer, RequestLog<String>) {
    let log = RequestLog::default();
    let heads = log.clone();
    let proxy = RawServer::serve(move |_, mut stream| {
        while let Some(head) = read_head(&mut stream) {
            heads.lock().unwrap().push(head.clone());
            let given = field(&head, "proxy-authorization");
            if wanted.is_some() && given.as_deref() != wanted {
                let answer = "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(answer.as_bytes()).unwrap();
                continue;
            }
            let target = head.split(' ').nth(1).unwrap();
            if head.starts_with("CONNECT ") {
                let server = dial(target);
                let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
                stream.write_all(established).unwrap();
                return splice(stream, server);
            }
            forward(&head, target, &mut stream);
        }
    });
    (proxy, log)
}

fn field(head: &str, name: &str) -> Option<String> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.to_owned())
}

/// Forwards one request and its response. The client's connection stays open.
fn forward(head: &str, target: &str, client: &mut TcpStream) {
    let rest = target.strip_prefix("http://").expect("the whole URL");
    let (authority, path) = rest.split_at(rest.find('/').unwrap());
    let mut server = dial(authority);
    let host = field(head, "host").unwrap();
    write!(
        server,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let answer = answer.replacen("connection: close\r\n", "", 1);
    client.write_all(answer.as_bytes()).unwrap();
}

pub(crate) fn at(raw: &RawServer, scheme: &str) -> String {
    format!("{scheme}127.0.0.1:{}", raw.port())
}

#[test]
fn http_requests_are_forwarded_over_one_proxy_connection() {
    let (proxy, log) = http_proxy(None);
    let client = client_with(through(&at(&proxy, "http://")));
    let sites = [Site::start().unwrap(), Site::start().unwrap()];
    for site in [&sites[0], &sites[1], &sites[0]] {
        let url = format!("http://name.test:{}/get?q=1", site.address().port());
        assert_eq!(block_on(fetch(&client, &url)).unwrap().0, 200);
        let head = log.lock().unwrap().pop().unwrap();
        assert!(
            head.starts_with(&format!("GET {url} HTTP/1.1\r\n")),
            "{head}"
        );
        let host = format!("name.test:{}", site.address().port());
        assert_eq!(field(&head, "host"), Some(host));
    }
    assert_eq!((proxy.connections(), client.open_connections()), (1, 1));
    assert_eq!(sites[0].observed().requests, 2);
}

#[test]
fn the_target_asterisk_has_no_path_at_a_proxy() {
    // It refuses every request, so that nothing is forwarded.
    let (proxy, log) = http_proxy(Some("never"));
    let client = client_with(through(&at(&proxy, "http://")));
    let url = Arc::new("http://name.test/ignored".parse().unwrap());
    let mut request = OutgoingRequest::new(http::Method::OPTIONS, url);
    request.path_as_is = Some("*".parse().unwrap());
    let _refused = block_on(send(&client, request));
    let head = log.lock().unwrap().pop().unwrap();
    assert!(
        head.starts_with("OPTIONS http://name.test HTTP/1.1\r\n"),
        "{head}"
    );
}

#[test]
fn https_uses_one_tunnel_per_origin() {
    let (proxy, log) = http_proxy(None);
    let sites = [secure_site(), secure_site()];
    for site in &sites {
        let client = trusting(through(&at(&proxy, "http://")), site);
        for _ in 0..3 {
            assert_eq!(block_on(fetch(&client, &site.url("/get"))).unwrap().0, 200);
        }
        assert_eq!(site.observed().connections, 1);
        let authority = site.address().to_string();
        let expected = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        assert_eq!(log.lock().unwrap().split_off(0), [expected]);
    }
}

#[test]
fn proxy_credentials_are_sent_only_to_the_proxy() {
    let (proxy, log) = http_proxy(Some("Basic bWU6aHVzaA=="));
    let site = secure_site();
    let client = trusting(through(&at(&proxy, "http://me:hush@")), &site);
    let (status, body) = block_on(fetch(&client, &site.url("/headers"))).unwrap();
    let body = String::from_utf8(body).unwrap().to_lowercase();
    assert_eq!(status, 200);
    assert!(!body.contains("proxy-authorization"), "{body}");
    let plain = Site::start().unwrap();
    assert_eq!(block_on(fetch(&client, &plain.url("/get"))).unwrap().0, 200);
    assert_eq!(log.lock().unwrap().len(), 2);
    assert!(!format!("{client:?}").contains("hush"));
}

#[test]
fn rejected_proxy_credentials_are_reported_but_not_shown() {
    let (proxy, _) = http_proxy(Some("Basic bWU6aHVzaA=="));
    let site = secure_site();
    for (url, words) in [
        (
            at(&proxy, "http://me:wrong@"),
            "did not accept the user name",
        ),
        (at(&proxy, "http://"), "asks for a user name and password"),
    ] {
        let client = trusting(through(&url), &site);
        let error = block_on(fetch(&client, &site.url("/get"))).unwrap_err();
        assert_eq!(error.kind(), FailureKind::ProxyRefused);
        let shown = format!("{error} {error:?}");
        let place = at(&proxy, "http://");
        assert!(shown.contains(words) && shown.contains(&place), "{shown}");
        assert!(!shown.contains("wrong"), "{shown}");
        // For an http URL, 407 is a response like any other.
        assert_eq!(block_on(fetch(&client, "http://a.test/")).unwrap().0, 407);
    }
    assert_eq!(site.observed().connections, 0);
}

#[test]
fn a_destination_that_the_proxy_forbids_is_refused() {
    let proxy = RawServer::answering("HTTP/1.1 403 Not Here\r\nContent-Length: 4\r\n\r\nbody");
    let client = client_with(through(&at(&proxy, "http://")));
    let error = block_on(fetch(&client, "https://a.test/")).unwrap_err();
    assert_eq!(error.kind(), FailureKind::ProxyRefused);
    let text = error.to_string();
    assert!(text.contains("to a.test:443 through the proxy"), "{text}");
    assert!(text.contains("does not allow this destination"), "{text}");
    assert!(text.contains("CONNECT with 403 Forbidden"), "{text}");
    // Another destination may be allowed: the proxy is asked again.
    block_on(fetch(&client, "https://b.test/")).unwrap_err();
    assert_eq!(proxy.connections(), 2);
    block_on(wait_all_closed(&client));
}

#[test]
fn a_proxy_is_asked_once_with_credentials_that_it_refuses() {
    let (proxy, log) = http_proxy(Some("Basic bWU6aHVzaA=="));
    let client = client_with(through(&at(&proxy, "http://me:wrong@")));
    let fetches: Vec<_> = (0..50)
        .map(|n| {
            let client = client.clone();
            smol::spawn(async move { fetch(&client, &format!("https://h{n}.test/")).await })
        })
        .collect();
    let mut texts = Vec::new();
    for fetch in fetches {
        let error = block_on(fetch).unwrap_err();
        assert_eq!(error.kind(), FailureKind::ProxyRefused);
        texts.push(error.to_string());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(log.lock().unwrap().len(), 1);
    // Other credentials are another matter.
    let client = client_with(through(&at(&proxy, "http://me:hush@")));
    let site = Site::start().unwrap();
    let url = site.url("/").replace("http:", "https:");
    let error = block_on(fetch(&client, &url)).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Tls, "{error}");
}

#[test]
fn a_slow_first_tunnel_delays_others_only_shortly() {
    let slow = RawServer::serve(|number, mut stream| {
        read_head(&mut stream);
        if number == 0 {
            let _ = stream.read(&mut [0]);
        }
        let _ = stream.write_all(b"HTTP/1.1 502 No\r\n\r\n");
    });
    let client = client_with(through(&at(&slow, "http://")));
    let stuck = async {
        let _ = fetch(&client, "https://a.test/").await;
        panic!("the proxy answered");
    };
    let other = async {
        // The first request has claimed its turn by then.
        future::yield_now().await;
        fetch(&client, "https://b.test/").await.unwrap_err().kind()
    };
    assert_eq!(block_on(future::or(stuck, other)), FailureKind::Connect);
}

#[test]
fn an_unreachable_proxy_is_named() {
    let port = closed_port();
    for scheme in ["http", "socks5", "socks5h"] {
        let client = client_with(through(&format!("{scheme}://u:hush@127.0.0.1:{port}")));
        let error = block_on(fetch(&client, "https://127.0.0.1:9/")).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Connect);
        let text = error.to_string();
        let place = format!("to the proxy {scheme}://127.0.0.1:{port}");
        assert!(text.contains(&place) && !text.contains("hush"), "{text}");
    }
}

#[test]
fn cancelling_a_request_closes_a_silent_proxy_connection() {
    let proxy = RawServer::serve(|_, mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for scheme in ["http://", "socks5://"] {
        let client = client_with(through(&at(&proxy, scheme)));
        block_on(async {
            let mut sent = Box::pin(send(&client, get("https://127.0.0.1:9/")));
            let before = proxy.connections();
            while proxy.connections() == before {
                assert!(future::poll_once(&mut sent).await.is_none());
                future::yield_now().await;
            }
            drop(sent);
            wait_all_closed(&client).await;
        });
    }
}

#[test]
fn no_proxy_hosts_are_reached_directly() {
    let (proxy, log) = http_proxy(None);
    let site = Site::start().unwrap();
    let rules = ProxyRules::new().all(Proxy::parse(&at(&proxy, "http://")).unwrap());
    let rules = rules.no_proxy("127.0.0.0/8").unwrap();
    let port = site.address().port();
    let client = client_with(HttpConfig::new().proxy(rules));
    assert_eq!(block_on(fetch(&client, &site.url("/get"))).unwrap().0, 200);
    assert_eq!(proxy.connections(), 0);
    let named = format!("http://name.test:{port}/get");
    assert_eq!(block_on(fetch(&client, &named)).unwrap().0, 200);
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[test]
fn all_addresses_of_a_proxy_are_tried() {
    #[derive(Debug)]
    struct TwoAddresses;
    impl DnsResolver for TwoAddresses {
        fn resolve(&self, host: &str) -> ResolvedAddresses {
            assert_eq!(host, "proxy.test");
            let found = vec![[127, 0, 0, 2].into(), [127, 0, 0, 1].into()];
            Box::pin(std::future::ready(Ok(found)))
        }
    }
    let (proxy, log) = http_proxy(None);
    let site = Site::start().unwrap();
    let config = through(&format!("http://proxy.test:{}", proxy.port())).resolver(TwoAddresses);
    assert_eq!(
        block_on(fetch(&client_with(config), &site.url("/get")))
            .unwrap()
            .0,
        200
    );
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[test]
fn connect_to_keeps_the_urls_host() {
    let site = Site::start().unwrap();
    let rule = format!("a.test:80:127.0.0.1:{}", site.address().port());
    let direct = HttpConfig::new().connect_to(rule.parse().unwrap());
    let (proxy, log) = http_proxy(None);
    let tunnelled = through(&at(&proxy, "http://")).connect_to(rule.parse().unwrap());
    for config in [direct, tunnelled] {
        let (status, body) =
            block_on(fetch(&client_with(config), "http://a.test/headers")).unwrap();
        assert_eq!(status, 200);
        assert!(String::from_utf8(body).unwrap().contains("a.test"));
    }
    let heads = log.lock().unwrap();
    assert_eq!(heads.len(), 1);
    assert!(
        heads[0].starts_with(&format!("CONNECT {} ", site.address())),
        "{heads:?}"
    );
}

#[cfg(feature = "http2")]
#[test]
fn http2_goes_through_a_tunnel() {
    let site = Site::builder().tls(Certificate::Good).http2(true);
    let site = site.start().unwrap();
    let (http, _) = http_proxy(None);
    let (socks, _) = socks_proxy(b"", &[]);
    for url in [at(&http, "http://"), at(&socks, "socks5h://")] {
        let client = trusting(through(&url), &site);
        for _ in 0..3 {
            let response = block_on(send(&client, get(&site.url("/get")))).unwrap();
            assert_eq!(response.version, http::Version::HTTP_2);
        }
    }
    assert_eq!((http.connections(), socks.connections()), (1, 1));
}
