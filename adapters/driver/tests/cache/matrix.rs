//! No identity gets the response of another: for each sender, over each store, in each state of the cache.

use std::time::Duration;

use fetch_driver::cache::{CacheMode, CacheRules, CacheScope};
use fetch_driver::{
    AccessToken, AuthProfile, Builder, Cache, CredentialError, CredentialSource, Fetcher,
    MemoryStore, Method, Netrc, Request, TokenFuture,
};
use futures_lite::StreamExt;
use futures_lite::future::block_on;

use crate::server::{FRESH, Server, URL, get, refuse, request, respond, told};

/// An identity: the settings of its fetcher, and the fields of its requests.
struct Sender {
    name: &'static str,
    build: fn(Builder<Server>) -> Builder<Server>,
    ask: fn(Request) -> Request,
}

const fn by_request(name: &'static str, ask: fn(Request) -> Request) -> Sender {
    Sender {
        name,
        build: |builder| builder,
        ask,
    }
}

const fn by_fetcher(name: &'static str, build: fn(Builder<Server>) -> Builder<Server>) -> Sender {
    Sender {
        name,
        build,
        ask: |request| request,
    }
}

fn with(request: Request, name: &str, value: &str) -> Request {
    request.header(name, value).unwrap()
}

/// Tokens of a user.
struct User(&'static str);

impl CredentialSource for User {
    fn acquire(&self) -> TokenFuture {
        let token = AccessToken::bearer(self.0).map_err(CredentialError::refused);
        Box::pin(std::future::ready(token))
    }

    fn identity(&self) -> Vec<u8> {
        self.0.into()
    }
}

fn profile(builder: Builder<Server>, name: &str, user: &'static str) -> Builder<Server> {
    let scope = "http://a.test/".parse().unwrap();
    builder.auth(AuthProfile::new(name).scope(scope), User(user))
}

#[cfg(feature = "cookies")]
fn jar(builder: Builder<Server>, value: &str) -> Builder<Server> {
    let jar = fetch_driver::CookieJar::new();
    let mut headers = http::HeaderMap::new();
    headers.insert("set-cookie", format!("jar={value}").parse().unwrap());
    jar.store(&URL.parse().unwrap(), &headers);
    builder.cookie_jar(jar)
}

fn login(builder: Builder<Server>, password: &str) -> Builder<Server> {
    let text = format!("machine a.test login me password {password}");
    builder.netrc(Netrc::parse(text.as_bytes()).unwrap().0)
}

fn senders() -> Vec<Sender> {
    let mut senders = vec![
        by_request("nobody", |request| request),
        by_request("token a", |r| with(r, "authorization", "Bearer a")),
        by_request("token b", |r| with(r, "authorization", "Bearer b")),
        by_request("scheme", |r| with(r, "authorization", "Basic a")),
        by_request("URL a", |_| Request::get("http://me:a@a.test/x").unwrap()),
        by_request("URL b", |_| Request::get("http://me:b@a.test/x").unwrap()),
        by_request("cookie a", |r| with(r, "cookie", "id=a")),
        by_request("cookie b", |r| with(r, "cookie", "id=b")),
        by_request("token and cookie", |r| {
            with(with(r, "authorization", "Bearer a"), "cookie", "id=a")
        }),
        by_request("proxy token a", |r| {
            with(r, "proxy-authorization", "Basic a")
        }),
        by_request("proxy token b", |r| {
            with(r, "proxy-authorization", "Basic b")
        }),
        by_request("API key a", |r| with(r, "x-api-key", "a")),
        by_request("API key b", |r| with(r, "x-api-key", "b")),
        by_request("host", |r| with(r, "host", "b.test")),
        by_fetcher("default field", |b| b.header("authorization", "Bearer c")),
        by_fetcher("netrc a", |b| login(b, "na")),
        by_fetcher("netrc b", |b| login(b, "nb")),
        by_fetcher("certificate a", |b| b.client_certificate("a", "key")),
        by_fetcher("certificate b", |b| b.client_certificate("b", "key")),
        by_fetcher("TLS a", |b| b.tls_config(1_u8)),
        by_fetcher("TLS b", |b| b.tls_config(1_u8)),
        by_fetcher("unverified", |b| b.danger_accept_invalid_certs(true)),
        by_fetcher("CA a", |b| b.ca_certificate("a")),
        by_fetcher("CA b", |b| b.ca_certificate("b")),
        by_fetcher("pin", |b| b.pinned_key([7; 32])),
        by_fetcher("proxy a", |b| b.proxy("http://a.test:1")),
        by_fetcher("proxy b", |b| b.proxy("http://b.test:1")),
        by_fetcher("proxy user a", |b| b.proxy("http://u:a@b.test:1")),
        by_fetcher("proxy user b", |b| b.proxy("http://u:b@b.test:1")),
        by_fetcher("proxy field", |b| b.proxy_header("x-user", "a")),
        by_fetcher("socket", |b| b.unix_socket("/a")),
        by_fetcher("address", |b| b.connect_to("a.test:80:b.test:81")),
        by_fetcher("profile, alice", |b| profile(b, "api", "alice")),
        by_fetcher("profile, bob", |b| profile(b, "api", "bob")),
        by_fetcher("other profile, alice", |b| profile(b, "other", "alice")),
    ];
    #[cfg(feature = "cookies")]
    senders.extend([
        by_fetcher("jar a", |b| jar(b, "a")),
        by_fetcher("jar b", |b| jar(b, "b")),
    ]);
    senders
}

/// Every sender asks twice: first all of them get a response of their own, then the same again.
fn check(cache: &Cache) {
    let server = Server::fixed(FRESH);
    let senders: Vec<_> = senders()
        .into_iter()
        .map(|sender| {
            let fetcher = (sender.build)(server.builder(cache)).build().unwrap();
            (sender, fetcher)
        })
        .collect();
    let ask = |(sender, fetcher): &(Sender, Fetcher<Server>)| {
        let (body, status) = told(&get(fetcher, (sender.ask)(request())));
        block_on(cache.flush());
        (sender.name, body, status)
    };
    let first: Vec<_> = senders.iter().map(ask).collect();
    for (n, (name, body, status)) in first.iter().enumerate() {
        assert_eq!(
            *body,
            (n + 1).to_string(),
            "{name} got what another has asked for"
        );
        assert!(status.ends_with("stored"), "{name}: {status}");
    }
    for (one, before) in senders.iter().zip(&first) {
        let (name, body, status) = ask(one);
        assert!(
            body == before.1 && status.starts_with("hit"),
            "{name}: {body}, {status}"
        );
    }
}

#[test]
fn nobody_gets_the_response_of_another_from_memory() {
    check(&Cache::memory(1 << 20));
}

#[cfg(feature = "cache-disk")]
#[test]
fn nobody_gets_the_response_of_another_from_a_directory_or_two_stores() {
    use fetch_driver::{DiskStore, LayeredStore};
    let directory = tempfile::tempdir().unwrap();
    let disk = |name: &str| DiskStore::open(directory.path().join(name), 1 << 30).unwrap();
    let patient = |cache: Cache| cache.lookup_limit(Duration::from_secs(60));
    check(&patient(Cache::new(disk("a"))));
    check(&patient(Cache::new(LayeredStore::new(
        MemoryStore::new(1 << 20),
        disk("b"),
    ))));
}

#[test]
fn a_shared_cache_gives_to_others_only_what_the_response_allows() {
    const PUBLIC: &[(&str, &str)] = &[("cache-control", "public, max-age=9")];
    const PRIVATE: &[(&str, &str)] = &[("cache-control", "private, max-age=9")];
    let nobody = by_request("nobody", |request| request);
    for (fields, is_of_user, name) in [
        (FRESH, true, "max-age"),
        (PRIVATE, true, "private"),
        (PUBLIC, false, "public"),
    ] {
        // What RFC 9111 decides about; all others have an identity of their own, as in a private cache.
        for sender in senders() {
            let is_authorized = matches!(
                sender.name,
                "token a" | "URL a" | "default field" | "netrc a"
            ) || sender.name.contains("profile");
            let is_route = sender.name.contains("proxy") || sender.name.contains("certificate");
            if !is_authorized && !is_route && sender.name != "API key a" {
                continue;
            }
            let server = Server::new(move |_, n| respond(200, fields, &n.to_string()));
            let rules = CacheRules::default().scope(CacheScope::Shared);
            let cache = Cache::memory(1 << 20).rules(rules);
            let fetcher = |sender: &Sender| (sender.build)(server.builder(&cache)).build().unwrap();
            get(&fetcher(&sender), (sender.ask)(request()));
            let (body, status) = told(&get(&fetcher(&nobody), request()));
            let is_reused = is_authorized && !is_of_user;
            let expected = if is_reused { "1" } else { "2" };
            assert_eq!(body, expected, "{}, {name}: {status}", sender.name);
        }
    }
}

/// A request by one way of the cache.
type Way = (&'static str, fn() -> Request);

const WAYS: [Way; 9] = [
    ("default", request),
    ("no-cache", || request().cache_mode(CacheMode::NoCache)),
    ("reload", || request().cache_mode(CacheMode::Reload)),
    ("force-cache", || {
        request().cache_mode(CacheMode::ForceCache)
    }),
    ("only-if-cached", || {
        request().cache_mode(CacheMode::OnlyIfCached)
    }),
    ("max-stale", || {
        with(request(), "cache-control", "max-stale")
    }),
    ("condition", || with(request(), "if-none-match", "\"1\"")),
    ("range", || with(request(), "range", "bytes=0-1")),
    ("HEAD", || Request::new(Method::Head, URL).unwrap()),
];

#[test]
fn no_way_through_the_cache_leads_to_the_response_of_another() {
    const USED_STALE: &[(&str, &str)] = &[
        (
            "cache-control",
            "max-age=0, stale-if-error=99, stale-while-revalidate=99",
        ),
        ("etag", "\"1\""),
    ];
    const VALIDATED: &[(&str, &str)] =
        &[("cache-control", "private, max-age=99"), ("etag", "\"1\"")];
    for fields in [USED_STALE, VALIDATED] {
        for is_down in [false, true] {
            for (name, way) in WAYS {
                let server = Server::new(move |request, n| match n {
                    1 => respond(200, fields, "of alice"),
                    _ if is_down => refuse(),
                    _ => {
                        let validator = request.headers.get("if-none-match");
                        // Only a condition of the caller may arrive.
                        assert_eq!(validator.is_some(), name == "condition", "{name}");
                        respond(200, &[("cache-control", "no-store")], "other")
                    }
                });
                let fetcher = server.fetcher(&Cache::memory(1 << 20));
                get(&fetcher, with(request(), "authorization", "Bearer alice"));
                let asked = with(way(), "authorization", "Bearer bob");
                let outcome = block_on(fetcher.fetch(asked));
                let Some(response) = outcome.response() else {
                    assert!(is_down, "{name}");
                    continue;
                };
                assert_ne!(response.text(), "of alice", "{name}");
                let is_asked = response.status == 504 || server.count() == 2;
                assert!(is_asked, "{name}: {:?}", response.cache_status());
            }
        }
    }
}

#[test]
fn requests_of_several_users_that_are_sent_together_wait_only_for_their_own() {
    let server = Server::new(|request, _| {
        let user = request.headers["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        respond(200, FRESH, &user)
    });
    let fetcher = server.fetcher(&Cache::memory(1 << 20));
    let asked =
        (0..400_u64).map(|n| with(request(), "authorization", &format!("Bearer {}", n % 20)));
    let outcomes: Vec<_> = block_on(fetcher.fetch_all(asked).collect());
    for outcome in &outcomes {
        let body = outcome.response().unwrap().text();
        assert_eq!(body, format!("Bearer {}", outcome.tag % 20));
    }
    assert_eq!((outcomes.len(), server.count()), (400, 20));
}

#[test]
fn what_a_hook_authorizes_is_not_stored() {
    let server = Server::fixed(FRESH);
    for scope in [CacheScope::Private, CacheScope::Shared] {
        let cache = Cache::memory(1 << 20).rules(CacheRules::default().scope(scope));
        let build = |user: Option<&'static str>| {
            let builder = server
                .builder(&cache)
                .before_attempt(move |mut request| async move {
                    if let Some(user) = user {
                        request
                            .headers_mut()
                            .insert("x-user", user.parse().unwrap());
                    }
                    Ok(request)
                });
            builder.build().unwrap()
        };
        let (alice, bob) = (build(Some("alice")), build(Some("bob")));
        for fetcher in [&alice, &bob, &alice] {
            let before = server.count();
            let (body, status) = told(&get(fetcher, request()));
            assert_eq!(body, (before + 1).to_string());
            assert!(status.ends_with("detail=before-attempt"), "{status}");
        }
        assert_eq!(cache.usage().responses, 0);
        // One that changes nothing does not matter.
        let unchanged = build(None);
        get(&unchanged, request());
        assert!(told(&get(&unchanged, request())).1.starts_with("hit"));
    }
}
