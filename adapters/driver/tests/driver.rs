//! The driver over fake transports, on a plain thread.

use std::future::{pending, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fetch_driver::{
    Adapter, AsyncIoTimer, AttemptProgress, Backoff, BuildError, Builder, EngineConfig,
    FailureKind, Fetcher, IncomingResponse, OutgoingRequest, Policy, PolicyRules, Request,
    Settings, Transport, TransportError,
};
use futures_lite::future::{block_on, poll_once};
use futures_lite::{StreamExt, stream};

type SendResult = Result<IncomingResponse<stream::Iter<std::vec::IntoIter<Chunk>>>, TransportError>;
type Chunk = Result<Bytes, TransportError>;
type SendFuture = Pin<Box<dyn Future<Output = SendResult> + Send>>;

/// A transport whose answers are computed by a function. Its driver runs on a separate thread.
#[derive(Clone)]
struct FakeTransport(Arc<dyn Fn(OutgoingRequest) -> SendFuture + Send + Sync>);

impl Transport for FakeTransport {
    type Body = stream::Iter<std::vec::IntoIter<Chunk>>;

    fn send(
        &self,
        request: OutgoingRequest,
        _: AttemptProgress,
    ) -> impl Future<Output = SendResult> + Send + use<> {
        (self.0)(request)
    }
}

impl Adapter for FakeTransport {
    type Transport = Self;
    type Timer = AsyncIoTimer;

    fn transport(&self, _: &Settings) -> Result<Self, BuildError> {
        Ok(self.clone())
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        std::thread::spawn(|| block_on(driver));
        Ok(())
    }
}

fn builder_answering(
    answer: impl Fn(OutgoingRequest) -> SendFuture + Send + Sync + 'static,
) -> Builder<FakeTransport> {
    let policy = Policy::default().backoff(Backoff::default().base(Duration::ZERO));
    Builder::new(FakeTransport(Arc::new(answer)))
        .rules(PolicyRules::from_policy(policy.attempts(1)))
}

fn respond(status: u16, chunks: Vec<Chunk>) -> SendFuture {
    Box::pin(ready(Ok(IncomingResponse::new(
        http::StatusCode::from_u16(status).unwrap(),
        http::Version::HTTP_11,
        http::HeaderMap::new(),
        stream::iter(chunks),
    ))))
}

fn redirect_to(location: &'static str) -> SendFuture {
    let mut headers = http::HeaderMap::new();
    headers.insert("location", http::HeaderValue::from_static(location));
    Box::pin(ready(Ok(IncomingResponse::new(
        http::StatusCode::SEE_OTHER,
        http::Version::HTTP_11,
        headers,
        stream::iter(vec![]),
    ))))
}

fn urls(paths: &[&str]) -> Vec<String> {
    paths
        .iter()
        .map(|path| format!("http://a.test{path}"))
        .collect()
}

#[test]
fn a_panicking_transport_frees_its_slot() {
    let builder = builder_answering(|request| match request.url.path() {
        "/panic-at-once" => Box::pin(async { panic!("broken") }),
        "/panic-in-send" => Box::pin(std::future::poll_fn(|_| panic!("broken later"))),
        _ => respond(200, vec![]),
    });
    let fetcher = builder.concurrency(1).build().unwrap();
    let paths = [
        "/panic-at-once",
        "/panic-in-send",
        "/panic-at-once",
        "/good",
    ];
    let outcomes: Vec<_> = block_on(fetcher.fetch_all(urls(&paths)).collect());
    let good = outcomes
        .iter()
        .filter(|outcome| outcome.is_success())
        .count();
    assert_eq!((outcomes.len(), good), (4, 1));
    let error = outcomes[0].error().unwrap().to_string();
    assert!(
        error.contains("the transport or a hook panicked: broken"),
        "{error}"
    );
}

#[test]
fn the_text_of_a_transport_error_is_the_errors_detail() {
    let builder = builder_answering(|_| {
        let source = std::io::Error::other("connection reset");
        Box::pin(ready(Err(TransportError::new(FailureKind::Io, source))))
    });
    let outcome = block_on(builder.build().unwrap().fetch("http://a.test/"));
    assert_eq!(outcome.error().unwrap().detail(), Some("connection reset"));
}

#[test]
fn chunks_become_one_body() {
    let builder = builder_answering(|_| respond(200, vec![Ok("one ".into()), Ok("two".into())]));
    let response = block_on(builder.build().unwrap().get("http://a.test/")).unwrap();
    assert_eq!((&response.body[..], response.bytes), (&b"one two"[..], 7));
}

#[test]
fn the_attached_value_is_returned_with_every_outcome() {
    let builder = builder_answering(|_| respond(200, vec![]));
    let fetcher = builder.concurrency(1).build().unwrap();
    let request = |row: u32| {
        let request = Request::get("http://a.test/").unwrap();
        request.attach(Arc::new(row))
    };
    let row = |outcome: fetch_driver::Outcome| {
        let attached = outcome.attached.unwrap();
        *attached.downcast::<u32>().unwrap()
    };
    // Some are fetched, the others are cancelled before they start.
    let taken = AtomicUsize::new(0);
    let requests = (0..50).inspect(|_| _ = taken.fetch_add(1, Ordering::Relaxed));
    let mut batch = fetcher.fetch_all(requests.map(request));
    let first = block_on(batch.next()).unwrap();
    assert!(first.is_success());
    batch.cancel_queued();
    let mut rows: Vec<_> = block_on(batch.map(row).collect());
    rows.push(row(first));
    rows.sort_unstable();
    let taken = taken.load(Ordering::Relaxed) as u32;
    assert!(
        taken > 1 && rows.iter().copied().eq(0..taken),
        "{rows:?} of {taken}"
    );
}

#[test]
fn a_redirect_that_drops_the_body_drops_the_fields_about_it() {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = seen.clone();
    let builder = builder_answering(move |request| {
        let has = |name| request.headers.contains_key(name);
        let seen = (
            request.method.to_string(),
            has("content-type"),
            has("user-agent"),
        );
        log.lock().unwrap().push(seen);
        match request.url.path() {
            "/form" => redirect_to("/done"),
            _ => respond(200, vec![]),
        }
    });
    // The fields of all requests; the request has none.
    let builder = builder.header("content-type", "text/plain");
    let fetcher = builder.header("user-agent", "x").build().unwrap();
    let request = Request::new(fetch_driver::Method::Post, "http://a.test/form")
        .unwrap()
        .body("a=b");
    assert!(block_on(fetcher.fetch(request)).is_success());
    let expected = [("POST", true, true), ("GET", false, true)];
    let expected = expected.map(|(method, has_type, agent)| (method.to_owned(), has_type, agent));
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn the_login_of_a_netrc_file_never_replaces_an_authorization() {
    let builder = builder_answering(|request| {
        let authorization = request.headers.get(http::header::AUTHORIZATION);
        let text = authorization.map_or(b"none" as &[u8], |value| value.as_bytes());
        respond(200, vec![Ok(Bytes::copy_from_slice(text))])
    });
    let netrc = b"machine a.test login me password secret" as &[u8];
    let netrc = Arc::new(fetch_driver::Netrc::parse(netrc).unwrap().0);
    let fetcher = builder.settings(|settings| settings.netrc = Some(netrc));
    let fetcher = fetcher.build().unwrap();
    let sent = |request: Request| {
        let response = block_on(fetcher.get(request)).unwrap();
        String::from_utf8(response.body.to_vec()).unwrap()
    };
    let get = |url: &str| Request::get(url).unwrap();
    assert_eq!(sent(get("http://a.test/")), "Basic bWU6c2VjcmV0");
    assert_eq!(sent(get("http://b.test/")), "none");
    let own = get("http://a.test/").header("authorization", "Bearer own");
    assert_eq!(sent(own.unwrap()), "Bearer own");
}

#[test]
fn a_broken_body_is_retried() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let count = attempts.clone();
    let builder = builder_answering(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => {
            let broken = TransportError::new(FailureKind::Io, "reset");
            respond(200, vec![Ok("half".into()), Err(broken)])
        }
        _ => respond(200, vec![Ok("whole".into())]),
    });
    let policy = Policy::default().backoff(Backoff::default().base(Duration::ZERO));
    let fetcher = builder
        .rules(PolicyRules::from_policy(policy))
        .build()
        .unwrap();
    let response = block_on(fetcher.get("http://a.test/")).unwrap();
    assert_eq!(&response.body[..], b"whole");
    assert_eq!(attempts.load(Ordering::SeqCst), 2);
}

#[test]
fn an_attempt_without_a_response_is_dropped_at_its_timeout() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let counter = dropped.clone();
    let builder = builder_answering(move |_| {
        let guard = Counted(counter.clone());
        Box::pin(async move {
            let _guard = guard;
            pending().await
        })
    });
    let policy = Policy::default()
        .attempts(1)
        .attempt_timeout(Duration::from_millis(30));
    let fetcher = builder
        .rules(PolicyRules::from_policy(policy))
        .build()
        .unwrap();
    let outcome = block_on(fetcher.fetch("http://a.test/"));
    assert_eq!(outcome.error().unwrap().kind().as_str(), "timeout");
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn invalid_settings_are_rejected_when_the_fetcher_is_built() {
    type Change = fn(Builder<FakeTransport>) -> Builder<FakeTransport>;
    let table: [(Change, &str); 4] = [
        (|builder| builder.concurrency(0), "concurrency: 0"),
        (
            |builder| builder.concurrency(0).header("bad name", "x"),
            "concurrency: 0",
        ),
        (
            |builder| builder.header("bad name", "x"),
            "header: \"bad name\"",
        ),
        (
            |builder| builder.timeout("regex:(", Duration::ZERO),
            "timeout:",
        ),
    ];
    for (wrong, expected) in table {
        let built: Result<Fetcher<FakeTransport>, _> =
            wrong(builder_answering(|_| respond(200, vec![]))).build();
        let error = built.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn timeouts_by_pattern_take_precedence_over_the_rules() {
    let builder = Builder::new(FakeTransport(Arc::new(|_| Box::pin(pending()))));
    let policy = Policy::default().attempts(1);
    let short = Duration::from_millis(20);
    let fetcher = builder
        .policy(policy)
        .timeout("/delay/", short)
        .build()
        .unwrap();
    let outcome = block_on(fetcher.fetch("http://a.test/delay/5"));
    assert_eq!(outcome.error().unwrap().kind().as_str(), "timeout");
    assert!(
        outcome.duration() < Duration::from_secs(10),
        "the timeout of the default rule is 10 s"
    );
}

#[test]
fn an_invalid_request_has_an_outcome_with_its_url() {
    let fetcher = builder_answering(|_| respond(200, vec![])).build().unwrap();
    let outcome = block_on(fetcher.fetch("ftp://a.test/"));
    assert_eq!(
        (outcome.is_success(), &*outcome.url),
        (false, "ftp://a.test/")
    );
}

#[test]
fn a_batch_takes_as_many_requests_as_the_new_configuration_allows() {
    let builder = Builder::new(FakeTransport(Arc::new(|_| Box::pin(pending()))));
    let fetcher = builder.build().unwrap();
    fetcher.set_config(EngineConfig::default().window(7));
    let mut batch = fetcher.fetch_all(urls(&["/a"; 100]));
    assert!(block_on(poll_once(batch.next())).is_none());
    assert_eq!(batch.outstanding(), 7);
}

#[test]
fn requests_can_come_from_a_slow_stream() {
    let (sender, receiver) = async_channel::bounded::<String>(1);
    let fetcher = builder_answering(|_| respond(200, vec![])).build().unwrap();
    let feeder = std::thread::spawn(move || {
        for n in 0..500 {
            sender.send_blocking(format!("http://a.test/{n}")).unwrap();
        }
    });
    let count = block_on(
        fetcher
            .fetch_stream(receiver)
            .filter(|o| o.is_success())
            .count(),
    );
    feeder.join().unwrap();
    assert_eq!(count, 500);
}

#[test]
fn a_batch_has_statistics() {
    let fetcher = builder_answering(|request| match request.url.path() {
        "/missing" => respond(404, vec![]),
        _ => respond(200, vec![Ok("12345".into())]),
    });
    let fetcher = fetcher.build().unwrap();
    let mut batch = fetcher.fetch_all(urls(&["/a", "/missing", "/b"]));
    block_on(async { while batch.next().await.is_some() {} });
    let stats = batch.stats();
    assert_eq!(
        (stats.succeeded(), stats.http_errors(), stats.bytes()),
        (2, 1, 10)
    );
}
