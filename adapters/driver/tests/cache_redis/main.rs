//! The cache of a fetcher in a real Redis.

#[expect(dead_code, reason = "shared with the tests of the other stores")]
#[path = "../cache/server.rs"]
mod server;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use fetch_driver::{Cache, Fetcher, LayeredStore, MemoryStore, Method, RedisStore, Request};
use fetch_testbed::servers::{Program, RealServer, ServerTest, Signal, run_tests};
use futures_lite::future::block_on;
use redis::Commands;

use crate::server::{FRESH, Server, URL, get, request, respond, told};

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        &[$(ServerTest::new(stringify!($name), &[Program::Redis], $name)),*]
    };
}

fn main() -> ExitCode {
    run_tests(tests![
        responses_are_shared_by_fetchers,
        nothing_crosses_identities_and_no_credentials_are_written,
        what_is_damaged_is_a_miss_and_is_replaced,
        a_value_of_another_url_is_not_used,
        variants_replace_each_other_and_are_bounded,
        an_unsafe_request_removes_all_identities,
        a_server_that_is_killed_costs_no_fetch,
        a_server_that_hangs_costs_no_fetch_and_no_removal,
        a_full_server_costs_no_fetch,
        a_refused_password_costs_no_fetch,
        what_is_of_no_use_expires,
        memory_answers_before_redis,
    ])
}

fn start(configuration: &str) -> RealServer {
    RealServer::start(Program::Redis, 1, |_| configuration.to_owned()).unwrap()
}

fn url(redis: &RealServer) -> String {
    format!("redis://127.0.0.1:{}", redis.port())
}

/// A store with more time than a busy machine needs.
fn store(redis: &RealServer) -> RedisStore {
    let store = RedisStore::new(&url(redis)).unwrap();
    store.timeout(Duration::from_secs(20))
}

fn cache(redis: &RealServer) -> Cache {
    Cache::new(store(redis)).lookup_limit(Duration::from_secs(60))
}

fn fetcher(server: &Server, redis: &RealServer) -> (Fetcher<Server>, Cache) {
    let cache = cache(redis);
    (server.fetcher(&cache), cache)
}

/// Fetches, and waits until the response is written.
fn stored(fetcher: &Fetcher<Server>, cache: &Cache, request: Request) -> String {
    let body = told(&get(fetcher, request)).0;
    block_on(cache.flush());
    body
}

fn connect(redis: &RealServer) -> redis::Connection {
    let client = redis::Client::open(url(redis)).unwrap();
    client.get_connection().unwrap()
}

/// The names of the hashes with responses.
fn entries(connection: &mut redis::Connection) -> Vec<String> {
    let names: Vec<String> = connection.keys("fetch-all:{*}:*").unwrap();
    names
}

/// The only field of a hash and its value.
fn only(connection: &mut redis::Connection, name: &str) -> (String, Vec<u8>) {
    let mut all: Vec<(String, Vec<u8>)> = connection.hgetall(name).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn with_token(token: &str) -> Request {
    let value = format!("Bearer {token}");
    request().header("authorization", &value).unwrap()
}

fn page(n: usize) -> Request {
    Request::get(format!("{URL}{n}")).unwrap()
}

fn responses_are_shared_by_fetchers() {
    let (server, redis) = (Server::fixed(FRESH), start(""));
    let (first, cache) = fetcher(&server, &redis);
    assert_eq!(stored(&first, &cache, request()), "1");
    let second = fetcher(&server, &redis).0;
    let (body, status) = told(&get(&second, request()));
    assert!(body == "1" && status.starts_with("hit"), "{body}, {status}");
    assert_eq!(server.count(), 1);
}

fn nothing_crosses_identities_and_no_credentials_are_written() {
    let (server, redis) = (Server::fixed(FRESH), start(""));
    let (fetcher, cache) = fetcher(&server, &redis);
    assert_eq!(stored(&fetcher, &cache, with_token("t0ps3cret")), "1");
    assert_eq!(stored(&fetcher, &cache, with_token("other")), "2");
    assert_eq!(stored(&fetcher, &cache, request()), "3");
    for (asked, body) in [("t0ps3cret", "1"), ("other", "2")] {
        assert_eq!(told(&get(&fetcher, with_token(asked))).0, body);
    }
    let mut connection = connect(&redis);
    let names = entries(&mut connection);
    assert_eq!(names.len(), 3);
    for name in names {
        let value = only(&mut connection, &name).1;
        let text = format!("{name} {}", String::from_utf8_lossy(&value));
        assert!(!text.contains("t0ps3cret"), "{text}");
    }
}

fn what_is_damaged_is_a_miss_and_is_replaced() {
    let (server, redis) = (Server::fixed(FRESH), start(""));
    let (fetcher, cache) = fetcher(&server, &redis);
    stored(&fetcher, &cache, request());
    let mut connection = connect(&redis);
    let name = entries(&mut connection).remove(0);
    let (field, value) = only(&mut connection, &name);
    let cut = (0..value.len())
        .step_by(29)
        .map(|len| value[..len].to_vec());
    let flipped = (0..value.len()).step_by(29).map(|at| {
        let mut value = value.clone();
        value[at] ^= 1;
        value
    });
    for damaged in cut.chain(flipped) {
        let before = server.count();
        let _: () = connection.hset(&name, &field, damaged).unwrap();
        let body = stored(&fetcher, &cache, request());
        assert_eq!(body, (before + 1).to_string());
        assert_eq!(told(&get(&fetcher, request())).0, body);
    }
}

fn a_value_of_another_url_is_not_used() {
    let (server, redis) = (Server::fixed(FRESH), start(""));
    let (fetcher, cache) = fetcher(&server, &redis);
    let mut connection = connect(&redis);
    stored(&fetcher, &cache, request());
    let first = entries(&mut connection).remove(0);
    let other = || Request::get("http://a.test/y").unwrap();
    stored(&fetcher, &cache, other());
    let mut names = entries(&mut connection);
    names.retain(|name| *name != first);
    let _: bool = redis::cmd("COPY")
        .arg(&[&first, &names[0]])
        .arg("REPLACE")
        .query(&mut connection)
        .unwrap();
    assert_eq!(told(&get(&fetcher, other())).0, "3");
}

fn variants_replace_each_other_and_are_bounded() {
    let fields = &[("cache-control", "max-age=1000"), ("vary", "x")];
    let (server, redis) = (Server::fixed(fields), start(""));
    let (fetcher, cache) = fetcher(&server, &redis);
    let asked = |x: u8| request().header("x", &x.to_string()).unwrap();
    for x in 0..40 {
        stored(&fetcher, &cache, asked(x));
        assert_eq!(told(&get(&fetcher, asked(x))).0, (x + 1).to_string());
    }
    let mut connection = connect(&redis);
    let name = entries(&mut connection).remove(0);
    let count: usize = connection.hlen(name).unwrap();
    assert!((1..=32).contains(&count), "{count}");
}

fn an_unsafe_request_removes_all_identities() {
    let (server, redis) = (Server::fixed(FRESH), start(""));
    let (fetcher, cache) = fetcher(&server, &redis);
    stored(&fetcher, &cache, request());
    stored(&fetcher, &cache, with_token("a"));
    stored(&fetcher, &cache, Request::new(Method::Post, URL).unwrap());
    assert_eq!(told(&get(&fetcher, request())).0, "4");
    assert_eq!(told(&get(&fetcher, with_token("a"))).0, "5");
}

fn a_server_that_is_killed_costs_no_fetch() {
    let (server, mut redis) = (Server::fixed(FRESH), start(""));
    let (fetcher, cache) = fetcher(&server, &redis);
    for n in 0..200 {
        if n == 100 {
            redis.kill();
        }
        assert_eq!(told(&get(&fetcher, page(n))).0, (n + 1).to_string());
    }
    assert!(cache.stats().store_errors > 0 && cache.usage().skipped > 0);
    redis.start_again().unwrap();
    // It is asked again after a second.
    let end = Instant::now() + Duration::from_secs(60);
    while stored(&fetcher, &cache, page(1)) != told(&get(&fetcher, page(1))).0 {
        assert!(Instant::now() < end);
        std::thread::yield_now();
    }
}

fn a_server_that_hangs_costs_no_fetch_and_no_removal() {
    let (server, redis) = (Server::fixed(FRESH), start(""));
    let limit = Duration::from_millis(100);
    let hasty = store(&redis).timeout(limit);
    let hasty = Cache::new(hasty).lookup_limit(limit);
    let patient = cache(&redis);
    let (fetcher, observer) = (server.fetcher(&hasty), server.fetcher(&patient));
    assert_eq!(stored(&observer, &patient, request()), "1");
    redis.signal(Signal::SIGSTOP).unwrap();
    for n in 2..20 {
        assert_eq!(told(&get(&fetcher, page(n))).0, n.to_string());
    }
    get(&fetcher, Request::new(Method::Post, URL).unwrap());
    redis.signal(Signal::SIGCONT).unwrap();
    assert!(hasty.usage().skipped > 0, "{:?}", hasty.usage());
    // The removal is done as soon as the server answers.
    let end = Instant::now() + Duration::from_secs(60);
    while told(&get(&observer, request())).0 == "1" {
        assert!(Instant::now() < end);
        block_on(hasty.flush());
    }
}

fn a_full_server_costs_no_fetch() {
    let configuration = "maxmemory 3mb\nmaxmemory-policy noeviction";
    let (server, redis) = (
        Server::new(|_, _| respond(200, FRESH, &"x".repeat(100_000))),
        start(configuration),
    );
    let (fetcher, cache) = fetcher(&server, &redis);
    for n in 0..60 {
        assert_eq!(stored(&fetcher, &cache, page(n)).len(), 100_000);
    }
    assert!(cache.usage().failed_writes > 0, "{:?}", cache.usage());
}

fn a_refused_password_costs_no_fetch() {
    let (server, redis) = (Server::fixed(FRESH), start("requirepass right"));
    let with_password = |password: &str| {
        let url = format!("redis://:{password}@127.0.0.1:{}", redis.port());
        let store = RedisStore::new(&url).unwrap();
        assert!(!format!("{store:?}").contains(password));
        Cache::new(store.timeout(Duration::from_secs(20))).lookup_limit(Duration::from_secs(60))
    };
    let (wrong, right) = (with_password("wr0ng"), with_password("right"));
    let fetcher = server.fetcher(&wrong);
    assert_eq!(stored(&fetcher, &wrong, request()), "1");
    assert!(wrong.stats().store_errors > 0);
    let fetcher = server.fetcher(&right);
    assert_eq!(stored(&fetcher, &right, request()), "2");
    assert_eq!(told(&get(&fetcher, request())).0, "2");
}

fn what_is_of_no_use_expires() {
    let (server, redis) = (Server::fixed(FRESH), start(""));
    let cache = cache(&redis).keep(Duration::from_secs(500));
    stored(&server.fetcher(&cache), &cache, request());
    let mut connection = connect(&redis);
    let names: Vec<String> = connection.keys("fetch-all:{*}*").unwrap();
    assert_eq!(names.len(), 2);
    for name in names {
        let left: i64 = connection.ttl(&name).unwrap();
        assert!((900..=1_500).contains(&left), "{name}: {left}");
    }
}

fn memory_answers_before_redis() {
    let (server, redis) = (Server::fixed(FRESH), start(""));
    let layered = || {
        let memory = MemoryStore::new(1 << 20);
        let cache = Cache::new(LayeredStore::new(memory, store(&redis)));
        cache.lookup_limit(Duration::from_secs(60))
    };
    let (first, second) = (layered(), layered());
    stored(&server.fetcher(&first), &first, request());
    let fetcher = server.fetcher(&second);
    assert_eq!(told(&get(&fetcher, request())).0, "1");
    redis.signal(Signal::SIGSTOP).unwrap();
    assert_eq!(told(&get(&fetcher, request())).0, "1");
    redis.signal(Signal::SIGCONT).unwrap();
}
