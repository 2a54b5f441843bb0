//! httpbin, the Python package, fetched by every adapter.

use std::time::Duration;

use fetch_all::driver::{Adapter, Builder};
use fetch_all::{
    ErrorKind, FetchError, Outcome, Policy, PolicyRules, Request, Settings, TimeLimit, Timeouts,
};
use fetch_testbed::servers::{Program, RealServer, ServerTest};
use futures::future::LocalBoxFuture;

pub(crate) const TESTS: &[ServerTest] = &[
    ServerTest::new("httpbin_statuses", &[Program::Httpbin], statuses),
    ServerTest::new("httpbin_requests", &[Program::Httpbin], requests),
    ServerTest::new(
        "httpbin_delays_and_their_limits",
        &[Program::Httpbin],
        delays,
    ),
    ServerTest::new("httpbin_redirects", &[Program::Httpbin], redirects),
    #[cfg(all(feature = "brotli", feature = "gzip"))]
    ServerTest::new("httpbin_codings", &[Program::Httpbin], codings),
    #[cfg(feature = "cookies")]
    ServerTest::new("httpbin_cookies", &[Program::Httpbin], cookies),
    ServerTest::new("httpbin_basic_auth", &[Program::Httpbin], basic_auth),
    ServerTest::new(
        "httpbin_ranges_and_drips",
        &[Program::Httpbin],
        ranges_and_drips,
    ),
];

/// Fetches a request with one adapter.
type Fetch = Box<dyn Fn(Request) -> LocalBoxFuture<'static, Outcome>>;

fn fetch_with<A: Adapter + Default>(settings: &Settings) -> Fetch {
    let builder = Builder::new(A::default()).settings(|all| *all = settings.clone());
    let fetcher = builder.build().unwrap();
    Box::new(move |request| {
        let fetcher = fetcher.clone();
        Box::pin(async move { fetcher.fetch(request).await })
    })
}

/// Runs a check on every adapter of this build.
fn on_every_adapter(settings: &Settings, check: impl AsyncFn(Fetch)) {
    smol::block_on(check(fetch_with::<fetch_all::smol::Smol>(settings)));
    #[cfg(feature = "tokio")]
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { check(fetch_with::<fetch_all::tokio::Tokio>(settings)).await });
    #[cfg(feature = "async-std")]
    async_std::task::block_on(async {
        check(fetch_with::<fetch_all::async_std::AsyncStd>(settings)).await;
    });
    #[cfg(feature = "isahc")]
    smol::block_on(check(fetch_with::<fetch_all::isahc::Isahc>(settings)));
    #[cfg(feature = "surf")]
    async_std::task::block_on(check(fetch_with::<fetch_all::surf::Surf>(settings)));
}

fn start() -> RealServer {
    RealServer::start(Program::Httpbin, 1, |_| String::new()).unwrap()
}

fn settings(policy: Policy) -> Settings {
    let mut settings = Settings::default();
    settings.update_config(|config| config.rules(PolicyRules::from_policy(policy)));
    settings
}

fn once() -> Settings {
    settings(Policy::default().attempts(1).timeouts(Timeouts::NONE))
}

fn get(server: &RealServer, path: &str) -> Request {
    Request::get(server.url(path)).unwrap()
}

fn status(outcome: &Outcome) -> u16 {
    outcome.status().map_or(0, |status| status.as_u16())
}

fn text(outcome: Outcome) -> String {
    let response = outcome.result.unwrap();
    String::from_utf8_lossy(&response.body).into_owned()
}

fn statuses() {
    let server = start();
    on_every_adapter(&once(), async |fetch| {
        for code in [200, 204, 404, 418, 500, 503] {
            let outcome = fetch(get(&server, &format!("/status/{code}"))).await;
            assert_eq!(status(&outcome), code);
        }
    });
}

fn requests() {
    let server = start();
    on_every_adapter(&once(), async |fetch| {
        let request = Request::put(server.url("/put?q=7")).unwrap().body("a body");
        let request = request.header("x-id", "seven").unwrap();
        let echo = text(fetch(request).await);
        for part in ["a body", "\"q\": \"7\"", "\"X-Id\": \"seven\""] {
            assert!(echo.contains(part), "{echo}");
        }
    });
}

fn delays() {
    let server = start();
    let limits = Timeouts::NONE.attempt(Duration::from_millis(300));
    on_every_adapter(&once(), async |fetch| {
        assert_eq!(status(&fetch(get(&server, "/delay/1")).await), 200);
    });
    on_every_adapter(
        &settings(Policy::default().attempts(1).timeouts(limits)),
        async |fetch| {
            let outcome = fetch(get(&server, "/delay/5")).await;
            let timed_out = ErrorKind::Fetch(FetchError::TimedOut(TimeLimit::Attempt));
            assert_eq!(outcome.error().map(|error| error.kind()), Some(timed_out));
        },
    );
}

fn redirects() {
    let server = start();
    on_every_adapter(&once(), async |fetch| {
        for path in [
            "/redirect/3",
            "/absolute-redirect/3",
            "/relative-redirect/3",
        ] {
            let outcome = fetch(get(&server, path)).await;
            assert_eq!((status(&outcome), outcome.redirects), (200, 3));
        }
    });
}

#[cfg(all(feature = "brotli", feature = "gzip"))]
fn codings() {
    let server = start();
    on_every_adapter(&once(), async |fetch| {
        for (path, part) in [
            ("/gzip", "\"gzipped\": true"),
            ("/deflate", "\"deflated\": true"),
            ("/brotli", "\"brotli\": true"),
        ] {
            let body = text(fetch(get(&server, path)).await);
            assert!(body.contains(part), "{path}: {body}");
        }
    });
}

#[cfg(feature = "cookies")]
fn cookies() {
    let server = start();
    let mut settings = once();
    settings.cookie_jar = Some(fetch_all::driver::CookieJar::new());
    on_every_adapter(&settings, async |fetch| {
        let body = text(fetch(get(&server, "/cookies/set?flavour=plain")).await);
        assert!(body.contains("\"flavour\": \"plain\""), "{body}");
    });
}

fn basic_auth() {
    let server = start();
    on_every_adapter(&once(), async |fetch| {
        let request = || get(&server, "/basic-auth/me/secret");
        assert_eq!(status(&fetch(request()).await), 401);
        let request = request().basic_auth("me", Some("secret"));
        assert_eq!(status(&fetch(request).await), 200);
    });
}

fn ranges_and_drips() {
    let server = start();
    on_every_adapter(&once(), async |fetch| {
        let request = get(&server, "/range/1024").header("range", "bytes=10-19");
        let outcome = fetch(request.unwrap()).await;
        assert_eq!(status(&outcome), 206);
        assert_eq!(text(outcome), "klmnopqrst");
        let dripped = text(fetch(get(&server, "/drip?numbytes=5&duration=1&delay=0")).await);
        assert_eq!(dripped, "*****");
    });
}
