//! Each server answers, and its answers are read right.

use fetch_all::smol::{Fetcher, fetch_all};
use fetch_testbed::servers::{Program, RealServer, ServerTest};
use futures::StreamExt;

pub(crate) const TESTS: &[ServerTest] = &[
    ServerTest::new("nginx_answers", &[Program::Nginx], nginx_answers),
    ServerTest::new("apache_answers", &[Program::Apache], apache_answers),
    ServerTest::new("httpbin_answers", &[Program::Httpbin], httpbin_answers),
    ServerTest::new("moto_answers", &[Program::Moto], moto_answers),
    ServerTest::new(
        "haproxy_passes_requests_on",
        &[Program::Haproxy, Program::Nginx],
        haproxy_passes_requests_on,
    ),
    ServerTest::new(
        "squid_passes_requests_on",
        &[Program::Squid, Program::Nginx],
        squid_passes_requests_on,
    ),
    ServerTest::new(
        "tinyproxy_passes_requests_on",
        &[Program::Tinyproxy, Program::Nginx],
        tinyproxy_passes_requests_on,
    ),
];

/// The statuses of two pages of `server`, one of which exists.
fn statuses(server: &RealServer) -> Vec<Option<u16>> {
    statuses_of([server.url("/page"), server.url("/missing")])
}

fn statuses_of(urls: [String; 2]) -> Vec<Option<u16>> {
    let mut statuses: Vec<_> = smol::block_on(
        fetch_all(urls)
            .map(|outcome| outcome.status().map(|status| status.as_u16()))
            .collect(),
    );
    statuses.sort_unstable();
    statuses
}

fn nginx() -> RealServer {
    let nginx = RealServer::start(Program::Nginx, 1, |place| {
        format!("server {{ listen 127.0.0.1:{}; }}", place.ports[0])
    });
    let nginx = nginx.unwrap();
    nginx.write_page("page", "hello").unwrap();
    nginx
}

fn nginx_answers() {
    assert_eq!(statuses(&nginx()), [Some(200), Some(404)]);
}

fn apache_answers() {
    let apache = RealServer::start(Program::Apache, 1, |place| {
        format!("Listen 127.0.0.1:{}", place.ports[0])
    });
    let apache = apache.unwrap();
    apache.write_page("page", "hello").unwrap();
    assert_eq!(statuses(&apache), [Some(200), Some(404)]);
}

fn httpbin_answers() {
    let httpbin = RealServer::start(Program::Httpbin, 1, |_| String::new()).unwrap();
    let status = |code: u16| httpbin.url(&format!("/status/{code}"));
    assert_eq!(
        statuses_of([status(200), status(404)]),
        [Some(200), Some(404)]
    );
}

fn moto_answers() {
    let moto = RealServer::start(Program::Moto, 1, |_| String::new()).unwrap();
    let urls = [moto.url("/moto-api/"), moto.url("/moto-api/missing")];
    assert_eq!(statuses_of(urls), [Some(200), Some(404)]);
}

fn haproxy_passes_requests_on() {
    let nginx = nginx();
    let haproxy = RealServer::start(Program::Haproxy, 1, |place| {
        format!(
            "frontend front\n  bind 127.0.0.1:{}\n  default_backend back\nbackend back\n  server nginx 127.0.0.1:{}",
            place.ports[0],
            nginx.port()
        )
    });
    assert_eq!(statuses(&haproxy.unwrap()), [Some(200), Some(404)]);
}

/// The status of a page that is fetched through a proxy.
fn status_through(proxy: &RealServer, url: String) -> Option<u16> {
    let fetcher = Fetcher::builder().proxy(&proxy.url("")).build().unwrap();
    let outcome = smol::block_on(fetcher.fetch_all([url]).next());
    outcome
        .and_then(|outcome| outcome.status())
        .map(|status| status.as_u16())
}

fn squid_passes_requests_on() {
    let nginx = nginx();
    let squid = RealServer::start(Program::Squid, 1, |place| {
        format!(
            "http_port 127.0.0.1:{}\nhttp_access allow all",
            place.ports[0]
        )
    });
    assert_eq!(
        status_through(&squid.unwrap(), nginx.url("/page")),
        Some(200)
    );
    assert_eq!(nginx.access_log().len(), 1);
}

fn tinyproxy_passes_requests_on() {
    let nginx = nginx();
    let tinyproxy = RealServer::start(Program::Tinyproxy, 1, |place| {
        format!("Port {}", place.ports[0])
    });
    assert_eq!(
        status_through(&tinyproxy.unwrap(), nginx.url("/page")),
        Some(200)
    );
    assert_eq!(nginx.access_log().len(), 1);
}
