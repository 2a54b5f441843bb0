use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use fetch_driver::{DnsResolver, FailureKind, ResolvedAddresses, Transport};
use fetch_http::HttpConfig;
use fetch_testbed::Site;
use futures_lite::{FutureExt, future};
use smol::block_on;

use crate::client::{
    MAX_WAIT, TestClient, client, client_with, failure, fetch, get, progress, send,
};
use crate::raw::RawServer;

/// Counts lookups, and can be blocked.
#[derive(Debug, Default)]
struct ResolverState {
    addrs: Vec<IpAddr>,
    blocked: Mutex<bool>,
    lookups: AtomicUsize,
    released: Condvar,
}

#[derive(Clone, Debug)]
struct TestResolver(Arc<ResolverState>);

impl TestResolver {
    fn answering(addrs: &[&str]) -> Self {
        let addrs = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
        Self(Arc::new(ResolverState {
            addrs,
            ..ResolverState::default()
        }))
    }

    fn block(&self, blocked: bool) {
        *self.0.blocked.lock().unwrap() = blocked;
        self.0.released.notify_all();
    }

    fn lookups(&self) -> usize {
        self.0.lookups.load(Ordering::SeqCst)
    }

    /// Returns once this many lookups have begun.
    fn wait_for_lookups(&self, count: usize) {
        let started = Instant::now();
        while self.lookups() < count {
            assert!(started.elapsed() < MAX_WAIT, "{} lookups", self.lookups());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl DnsResolver for TestResolver {
    fn resolve(&self, _: &str) -> ResolvedAddresses {
        let this = self.clone();
        Box::pin(blocking::unblock(move || this.lookup()))
    }
}

impl TestResolver {
    fn lookup(&self) -> io::Result<Vec<IpAddr>> {
        self.0.lookups.fetch_add(1, Ordering::SeqCst);
        let blocked = self.0.blocked.lock().unwrap();
        drop(
            self.0
                .released
                .wait_while(blocked, |blocked| *blocked)
                .unwrap(),
        );
        match self.0.addrs.is_empty() {
            true => Err(io::Error::other("no such name")),
            false => Ok(self.0.addrs.clone()),
        }
    }
}

fn url_for(site: &Site, host: &str) -> String {
    format!("http://{host}:{}/get", site.address().port())
}

/// Without keep-alive, so that every request looks up its name.
fn without_keep_alive(resolver: &TestResolver) -> HttpConfig {
    HttpConfig::new()
        .resolver(resolver.clone())
        .idle_timeout(Duration::ZERO)
}

#[test]
fn the_system_resolver_knows_localhost() {
    let site = Site::start().unwrap();
    assert_eq!(
        block_on(fetch(&client(), &url_for(&site, "localhost")))
            .unwrap()
            .0,
        200
    );
}

#[test]
fn dns_results_are_cached() {
    let (site, resolver) = (
        Site::start().unwrap(),
        TestResolver::answering(&["127.0.0.1"]),
    );
    let client = client_with(without_keep_alive(&resolver));
    for _ in 0..5 {
        assert_eq!(
            block_on(fetch(&client, &url_for(&site, "name.test")))
                .unwrap()
                .0,
            200
        );
    }
    assert_eq!((resolver.lookups(), site.observed().connections), (1, 5));
}

#[test]
fn dns_results_expire_after_the_ttl() {
    let (site, resolver) = (
        Site::start().unwrap(),
        TestResolver::answering(&["127.0.0.1"]),
    );
    for (ttl, lookups) in [(Duration::ZERO, 3), (Duration::from_millis(1), 6)] {
        let client = client_with(without_keep_alive(&resolver).dns_ttl(ttl));
        for _ in 0..3 {
            block_on(fetch(&client, &url_for(&site, "name.test"))).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(resolver.lookups(), lookups);
    }
}

#[test]
fn a_resolver_says_that_a_name_does_not_exist() {
    #[derive(Debug)]
    struct FailingResolver(fn() -> io::Error);
    impl DnsResolver for FailingResolver {
        fn resolve(&self, _: &str) -> ResolvedAddresses {
            Box::pin(std::future::ready(Err(self.0())))
        }
    }
    for (error, kind) in [
        (
            (|| io::Error::new(io::ErrorKind::NotFound, "no such name")) as fn() -> io::Error,
            FailureKind::UnknownHost,
        ),
        (|| io::Error::other("no answer"), FailureKind::Resolve),
        (|| io::ErrorKind::TimedOut.into(), FailureKind::Resolve),
    ] {
        let client = client_with(HttpConfig::new().resolver(FailingResolver(error)));
        assert_eq!(block_on(failure(&client, "http://name.test/")), kind);
    }
}

#[test]
fn dns_failures_are_cached() {
    let resolver = TestResolver::answering(&[]);
    let client = client_with(without_keep_alive(&resolver));
    for _ in 0..3 {
        let error = block_on(fetch(&client, "http://name.test/")).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Resolve);
        assert!(error.to_string().contains("`name.test`"), "{error}");
    }
    assert_eq!(resolver.lookups(), 1);
}

#[test]
fn concurrent_lookups_share_one_call_even_if_the_first_is_cancelled() {
    let (site, resolver) = (
        Site::start().unwrap(),
        TestResolver::answering(&["127.0.0.1"]),
    );
    let client = client_with(without_keep_alive(&resolver));
    resolver.block(true);
    let url = url_for(&site, "name.test");
    block_on(async {
        // The request that started the lookup is cancelled while it runs.
        let first = async {
            let _ = fetch(&client, &url).await;
            panic!("a result while the resolver is blocked");
        };
        let other = resolver.clone();
        let started = smol::unblock(move || other.wait_for_lookups(1));
        first.or(started).await;
        let others: Vec<_> = (0..50)
            .map(|_| {
                let (client, url) = (client.clone(), url.clone());
                smol::spawn(async move { fetch(&client, &url).await.unwrap().0 })
            })
            .collect();
        resolver.block(false);
        for other in others {
            assert_eq!(other.await, 200);
        }
    });
    assert_eq!(resolver.lookups(), 1);
}

/// Looks up `count` names, each in a separate task.
fn look_up_names(client: &TestClient, count: usize) -> Vec<smol::Task<FailureKind>> {
    let task = |n| {
        let client = client.clone();
        smol::spawn(async move { failure(&client, &format!("http://n{n}.test/")).await })
    };
    (0..count).map(task).collect()
}

#[test]
fn queued_lookups_without_waiters_are_skipped() {
    let resolver = TestResolver::answering(&[]);
    let client = client_with(without_keep_alive(&resolver));
    resolver.block(true);
    let tasks = look_up_names(&client, 32);
    resolver.wait_for_lookups(32);
    let queued = send(&client, get("http://given.up.test/"));
    assert!(block_on(future::poll_once(Box::pin(queued))).is_none());
    resolver.block(false);
    for task in tasks {
        block_on(task);
    }
    assert_eq!(
        block_on(failure(&client, "http://another.test/")),
        FailureKind::Resolve
    );
    assert_eq!(resolver.lookups(), 33);
}

#[test]
fn at_most_32_lookups_run_at_once() {
    let resolver = TestResolver::answering(&[]);
    let client = client_with(without_keep_alive(&resolver).max_connections(1_000));
    resolver.block(true);
    let tasks = look_up_names(&client, 100);
    resolver.wait_for_lookups(32);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(resolver.lookups(), 32);
    resolver.block(false);
    for task in tasks {
        assert_eq!(block_on(task), FailureKind::Resolve);
    }
    assert_eq!(resolver.lookups(), 100);
}

#[test]
fn a_resolver_panic_fails_only_the_lookup() {
    #[derive(Debug)]
    struct PanickingResolver;
    impl DnsResolver for PanickingResolver {
        fn resolve(&self, _: &str) -> ResolvedAddresses {
            panic!("from the test")
        }
    }
    let client = client_with(HttpConfig::new().resolver(PanickingResolver));
    assert_eq!(
        block_on(failure(&client, "http://name.test/")),
        FailureKind::Resolve
    );
}

#[test]
fn overrides_and_ip_addresses_need_no_lookup() {
    let (site, resolver) = (Site::start().unwrap(), TestResolver::answering(&[]));
    let port = site.address().port();
    let config =
        without_keep_alive(&resolver).resolve("Over.test", port, ["127.0.0.1".parse().unwrap()]);
    let client = client_with(config);
    assert_eq!(
        block_on(fetch(&client, &url_for(&site, "over.test")))
            .unwrap()
            .0,
        200
    );
    assert_eq!(
        block_on(fetch(&client, &url_for(&site, "127.0.0.1")))
            .unwrap()
            .0,
        200
    );
    assert_eq!(resolver.lookups(), 0);
    assert_eq!(
        block_on(failure(&client, "http://over.test/")),
        FailureKind::Resolve
    );
}

#[test]
fn the_next_address_is_tried_after_a_failure() {
    let site = Site::start().unwrap();
    let resolver = TestResolver::answering(&["::1", "127.0.0.2", "127.0.0.1"]);
    let progress = progress();
    let sent = client_with(without_keep_alive(&resolver))
        .send(get(&url_for(&site, "name.test")), progress.clone());
    assert_eq!(block_on(sent).unwrap().status, 200);
    assert_eq!(progress.connection().unwrap().remote, Some(site.address()));
}

#[test]
fn the_error_names_every_address_tried() {
    let site = Site::start().unwrap();
    let resolver = TestResolver::answering(&["127.0.0.2", "127.0.0.3"]);
    let request = get(&url_for(&site, "name.test"));
    let error = block_on(send(&client_with(without_keep_alive(&resolver)), request)).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Connect);
    for addr in ["127.0.0.2:", "127.0.0.3:"] {
        assert!(error.to_string().contains(addr), "{error}");
    }
}

#[test]
fn a_silent_address_does_not_delay_the_next() {
    use std::net::SocketAddr;

    use fetch_http::{AsyncIoSocket, HttpRuntime, HttpTransport};

    /// Smol, except that one address never answers.
    #[derive(Clone)]
    struct SilentAddress(IpAddr);
    impl HttpRuntime for SilentAddress {
        type Stream = AsyncIoSocket;
        async fn connect(&self, addr: SocketAddr) -> io::Result<AsyncIoSocket> {
            if addr.ip() == self.0 {
                future::pending::<()>().await;
            }
            AsyncIoSocket::connect(addr).await
        }
        fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
            smol::spawn(task).detach();
        }
        async fn sleep(&self, duration: Duration) {
            smol::Timer::after(duration).await;
        }
    }

    let server = RawServer::answering("HTTP/1.1 204 No\r\n\r\n");
    let resolver = TestResolver::answering(&["127.0.0.2", "127.0.0.1"]);
    let runtime = SilentAddress("127.0.0.2".parse().unwrap());
    let client = HttpTransport::new(runtime, without_keep_alive(&resolver));
    let started = Instant::now();
    let request = get(&format!("http://name.test:{}/", server.port()));
    assert_eq!(
        block_on(client.send(request, progress())).unwrap().status,
        204
    );
    assert!(started.elapsed() >= Duration::from_millis(250));
}

#[test]
fn names_below_localhost_are_this_machine_without_a_lookup() {
    let resolver = TestResolver::answering(&[]);
    let client = client_with(without_keep_alive(&resolver));
    let site = Site::start().unwrap();
    for host in ["foo.localhost", "a.b.LOCALHOST", "foo.localhost."] {
        let (status, _) = block_on(fetch(&client, &url_for(&site, host))).unwrap();
        assert_eq!(status, 200, "{host}");
    }
    assert_eq!(resolver.lookups(), 0);
    let failed = block_on(failure(&client, &url_for(&site, "foolocalhost.test")));
    assert_eq!(failed, FailureKind::Resolve);
}

/// A client for which `two.test` has a second address, 127.0.0.2, before that of `server`, and a
/// listener at that address that never answers.
fn with_a_silent_address(port: u16) -> (TestClient, std::net::TcpListener) {
    let silent = std::net::TcpListener::bind(("127.0.0.2", port)).unwrap();
    let addrs = ["127.0.0.2", "127.0.0.1"].map(|addr| addr.parse().unwrap());
    let config = HttpConfig::new().resolve("two.test", port, addrs);
    (client_with(config), silent)
}

#[test]
fn the_attempt_after_a_silent_one_begins_with_the_next_address() {
    let server = RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (client, silent) = with_a_silent_address(server.port());
    let url = format!("http://two.test:{}/", server.port());
    let asked = smol::unblock(move || {
        let (mut stream, _) = silent.accept()?;
        io::Read::read_exact(&mut stream, &mut [0])?;
        io::Result::Ok((silent, stream))
    });
    // The attempt is dropped, as at a timeout, when the silent address has the request.
    let sent = async {
        let _ = fetch(&client, &url).await;
        panic!("an answer of the silent address");
    };
    let _open = block_on(sent.or(async { asked.await.unwrap() }));
    for _ in 0..2 {
        assert_eq!(block_on(fetch(&client, &url)).unwrap().1, b"ok");
    }
    assert_eq!(server.connections(), 1);
}

#[cfg(feature = "tls")]
#[test]
fn a_tls_failure_at_one_address_is_followed_by_the_next() {
    let site = Site::builder().tls(fetch_testbed::Certificate::Good);
    let site = site.start().unwrap();
    let port = site.address().port();
    let plain = std::net::TcpListener::bind(("127.0.0.2", port)).unwrap();
    std::thread::spawn(move || {
        for stream in plain.incoming() {
            let _ = io::Write::write_all(&mut stream.unwrap(), b"SSH-2.0-x\r\n");
        }
    });
    let addrs = ["127.0.0.2", "127.0.0.1"].map(|addr| addr.parse().unwrap());
    let tls = fetch_http::TlsOptions::new().add_root_pem(site.ca_pem().unwrap().as_bytes());
    let config = HttpConfig::new().tls(tls.unwrap());
    let client = client_with(config.resolve("localhost", port, addrs));
    let url = format!("https://localhost:{port}/get");
    assert_eq!(block_on(fetch(&client, &url)).unwrap().0, 200);
}
