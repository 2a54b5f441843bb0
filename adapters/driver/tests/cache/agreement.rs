//! All stores give the same answers to the same requests.

use fetch_driver::{Cache, DiskStore, LayeredStore, MemoryStore, Method, Request};
use futures_lite::future::block_on;
use proptest::prelude::*;

use crate::server::{Server, get, respond, told};

/// A request: its URL, its method, the value of a field in `Vary`, and whose it is.
type Asked = (u8, bool, u8, u8);

/// Fresh, stale and varying responses, and such that are not stored. The body is the number of the request.
fn server() -> Server {
    Server::new(|request, n| {
        let fields: &[(&str, &str)] = match request.url.path() {
            "/0" => &[("cache-control", "max-age=100000")],
            "/1" => &[("cache-control", "max-age=100000"), ("vary", "x")],
            "/2" => &[("cache-control", "no-store")],
            _ => &[("cache-control", "no-cache"), ("etag", "\"1\"")],
        };
        let is_unchanged = request.headers.contains_key("if-none-match");
        match is_unchanged {
            true => respond(304, fields, ""),
            false => respond(200, fields, &n.to_string()),
        }
    })
}

/// The bodies of all responses, and how many requests the server got.
fn answers(cache: &Cache, asked: &[Asked]) -> (Vec<String>, usize) {
    let server = server();
    let fetcher = server.fetcher(cache);
    let answers = asked.iter().map(|(url, is_post, x, user)| {
        let method = if *is_post { Method::Post } else { Method::Get };
        let request = Request::new(method, format!("http://a.test/{url}")).unwrap();
        let request = request.header("x", &x.to_string()).unwrap();
        let request = request.header("authorization", &format!("Bearer {user}"));
        let body = told(&get(&fetcher, request.unwrap())).0;
        block_on(cache.flush());
        body
    });
    (answers.collect(), server.count())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn stores_agree(asked in prop::collection::vec((0..4_u8, prop::bool::weighted(0.1), 0..2_u8, 0..2_u8), 1..60)) {
        let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let disk = |n: usize| DiskStore::open(directories[n].path(), 1 << 30).unwrap();
        let patient = |cache: Cache| cache.lookup_limit(std::time::Duration::from_secs(60));
        let expected = answers(&Cache::memory(1 << 20), &asked);
        prop_assert_eq!(answers(&patient(Cache::new(disk(0))), &asked), expected.clone());
        let layered = LayeredStore::new(MemoryStore::new(4_000), disk(1));
        prop_assert_eq!(answers(&patient(Cache::new(layered)), &asked), expected);
    }
}
