use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use fetch_driver::{Failure, Transport};
use fetch_http::{DnsResolver, HttpConfig};
use fetch_testbed::Site;
use futures_lite::{FutureExt, future};
use smol::block_on;

use crate::client::{Client, client, failure, fetch, get, marks, send, with};
use crate::raw::Raw;

/// Counts questions, and answers them when it is told to.
#[derive(Debug, Default)]
struct Resolver {
    asked: AtomicUsize,
    answer: Vec<IpAddr>,
    held: Mutex<bool>,
    released: Condvar,
}

#[derive(Clone, Debug)]
struct Shared(Arc<Resolver>);

impl Shared {
    fn answering(addrs: &[&str]) -> Self {
        let answer = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
        Self(Arc::new(Resolver {
            answer,
            ..Resolver::default()
        }))
    }

    fn hold(&self, held: bool) {
        *self.0.held.lock().unwrap() = held;
        self.0.released.notify_all();
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }
}

impl DnsResolver for Shared {
    fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let held = self.0.held.lock().unwrap();
        drop(self.0.released.wait_while(held, |held| *held).unwrap());
        match self.0.answer.is_empty() {
            true => Err(io::Error::other("no such name")),
            false => Ok(self.0.answer.clone()),
        }
    }
}

fn at(site: &Site, host: &str) -> String {
    format!("http://{host}:{}/get", site.address().port())
}

/// Without keep-alive, so that every request looks its name up.
fn unpooled(resolver: &Shared) -> HttpConfig {
    HttpConfig::new()
        .resolver(resolver.clone())
        .idle_timeout(Duration::ZERO)
}

#[test]
fn the_system_resolver_knows_localhost() {
    let site = Site::start().unwrap();
    assert_eq!(
        block_on(fetch(&client(), &at(&site, "localhost")))
            .unwrap()
            .0,
        200
    );
}

#[test]
fn an_answer_is_remembered() {
    let (site, resolver) = (Site::start().unwrap(), Shared::answering(&["127.0.0.1"]));
    let client = with(unpooled(&resolver));
    for _ in 0..5 {
        assert_eq!(
            block_on(fetch(&client, &at(&site, "name.test"))).unwrap().0,
            200
        );
    }
    assert_eq!((resolver.asked(), site.observed().connections), (1, 5));
}

#[test]
fn an_answer_is_forgotten_after_its_time() {
    let (site, resolver) = (Site::start().unwrap(), Shared::answering(&["127.0.0.1"]));
    for (ttl, asked) in [(Duration::ZERO, 3), (Duration::from_millis(1), 6)] {
        let client = with(unpooled(&resolver).dns_ttl(ttl));
        for _ in 0..3 {
            block_on(fetch(&client, &at(&site, "name.test"))).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(resolver.asked(), asked);
    }
}

#[test]
fn a_failure_is_remembered_too() {
    let resolver = Shared::answering(&[]);
    let client = with(unpooled(&resolver));
    for _ in 0..3 {
        let error = block_on(fetch(&client, "http://name.test/")).unwrap_err();
        assert_eq!(error.kind(), Failure::Resolve);
        assert!(error.to_string().contains("`name.test`"), "{error}");
    }
    assert_eq!(resolver.asked(), 1);
}

#[test]
fn many_at_once_ask_once_even_if_the_first_gives_up() {
    let (site, resolver) = (Site::start().unwrap(), Shared::answering(&["127.0.0.1"]));
    let client = with(unpooled(&resolver));
    resolver.hold(true);
    let url = at(&site, "name.test");
    block_on(async {
        // The one whose question it is gives up while it is being asked.
        let first = async {
            let _ = fetch(&client, &url).await;
            panic!("an answer while it is held back");
        };
        let asked = async {
            while resolver.asked() == 0 {
                future::yield_now().await;
            }
        };
        first.or(asked).await;
        let others: Vec<_> = (0..50)
            .map(|_| {
                let (client, url) = (client.clone(), url.clone());
                smol::spawn(async move { fetch(&client, &url).await.unwrap().0 })
            })
            .collect();
        resolver.hold(false);
        for other in others {
            assert_eq!(other.await, 200);
        }
    });
    assert_eq!(resolver.asked(), 1);
}

/// Looks up `count` names, each in a task of its own.
fn look_up(client: &Client, count: usize) -> Vec<smol::Task<Failure>> {
    let task = |n| {
        let client = client.clone();
        smol::spawn(async move { failure(&client, &format!("http://n{n}.test/")).await })
    };
    (0..count).map(task).collect()
}

#[test]
fn a_name_that_nobody_waits_for_any_more_is_not_asked_for() {
    let resolver = Shared::answering(&[]);
    let client = with(unpooled(&resolver));
    resolver.hold(true);
    let tasks = look_up(&client, 32);
    while resolver.asked() < 32 {
        std::thread::yield_now();
    }
    let queued = send(&client, get("http://given.up.test/"));
    assert!(block_on(future::poll_once(Box::pin(queued))).is_none());
    resolver.hold(false);
    for task in tasks {
        block_on(task);
    }
    assert_eq!(
        block_on(failure(&client, "http://another.test/")),
        Failure::Resolve
    );
    assert_eq!(resolver.asked(), 33);
}

#[test]
fn at_most_32_lookups_run_at_once() {
    let resolver = Shared::answering(&[]);
    let client = with(unpooled(&resolver).max_connections(1_000));
    resolver.hold(true);
    let tasks = look_up(&client, 100);
    while resolver.asked() < 32 {
        std::thread::yield_now();
    }
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(resolver.asked(), 32);
    resolver.hold(false);
    for task in tasks {
        assert_eq!(block_on(task), Failure::Resolve);
    }
    assert_eq!(resolver.asked(), 100);
}

#[test]
fn a_resolver_that_panics_fails_the_lookup_only() {
    #[derive(Debug)]
    struct Panics;
    impl DnsResolver for Panics {
        fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            panic!("a fault of the test's resolver")
        }
    }
    let client = with(HttpConfig::new().resolver(Panics));
    assert_eq!(
        block_on(failure(&client, "http://name.test/")),
        Failure::Resolve
    );
}

#[test]
fn overrides_and_addresses_ask_nobody() {
    let (site, resolver) = (Site::start().unwrap(), Shared::answering(&[]));
    let port = site.address().port();
    let config = unpooled(&resolver).resolve("Over.test", port, ["127.0.0.1".parse().unwrap()]);
    let client = with(config);
    assert_eq!(
        block_on(fetch(&client, &at(&site, "over.test"))).unwrap().0,
        200
    );
    assert_eq!(
        block_on(fetch(&client, &at(&site, "127.0.0.1"))).unwrap().0,
        200
    );
    assert_eq!(resolver.asked(), 0);
    assert_eq!(
        block_on(failure(&client, "http://over.test/")),
        Failure::Resolve
    );
}

#[test]
fn dead_addresses_are_passed_over() {
    let site = Site::start().unwrap();
    let resolver = Shared::answering(&["::1", "127.0.0.2", "127.0.0.1"]);
    let marks = marks();
    let sent = with(unpooled(&resolver)).send(get(&at(&site, "name.test")), marks.clone());
    assert_eq!(block_on(sent).unwrap().status, 200);
    assert_eq!(marks.connection().unwrap().remote, Some(site.address()));
}

#[test]
fn when_all_addresses_are_dead_each_is_named() {
    let site = Site::start().unwrap();
    let resolver = Shared::answering(&["127.0.0.2", "127.0.0.3"]);
    let request = get(&at(&site, "name.test"));
    let error = block_on(send(&with(unpooled(&resolver)), request)).unwrap_err();
    assert_eq!(error.kind(), Failure::Connect);
    for addr in ["127.0.0.2:", "127.0.0.3:"] {
        assert!(error.to_string().contains(addr), "{error}");
    }
}

#[test]
fn a_silent_address_does_not_hold_up_the_next() {
    use std::net::SocketAddr;
    use std::time::Instant;

    use fetch_http::{AsyncIoSocket, HttpRuntime, HttpTransport};

    /// Smol, but for one address that never answers.
    #[derive(Clone)]
    struct Deaf(IpAddr);
    impl HttpRuntime for Deaf {
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

    let server = Raw::answering("HTTP/1.1 204 No\r\n\r\n");
    let resolver = Shared::answering(&["127.0.0.2", "127.0.0.1"]);
    let runtime = Deaf("127.0.0.2".parse().unwrap());
    let client = HttpTransport::new(runtime, unpooled(&resolver));
    let started = Instant::now();
    let request = get(&format!("http://name.test:{}/", server.port()));
    assert_eq!(block_on(client.send(request, marks())).unwrap().status, 204);
    assert!(started.elapsed() >= Duration::from_millis(250));
}
