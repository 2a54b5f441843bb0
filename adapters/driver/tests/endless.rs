//! Bodies that never end and are always ready: nothing else may wait for them.

use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fetch_driver::{
    Adapter, AsyncIoTimer, AttemptProgress, BodyRetention, BuildError, Builder, ErrorKind,
    FetchError, IncomingResponse, OutgoingRequest, Policy, PolicyRules, Request, Settings,
    TimeLimit, Timeouts, Transport, TransportError,
};
use futures_core::Stream;
use futures_lite::StreamExt;
use futures_lite::future::block_on;

/// Answers each request with an endless body, except those for "/good", whose body is "x".
#[derive(Clone)]
struct EndlessTransport;

struct EndlessBody {
    is_good: bool,
    is_sent: bool,
}

impl Stream for EndlessBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::replace(&mut self.is_sent, true) && self.is_good {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Bytes::from_static(b"x"))))
    }
}

impl Transport for EndlessTransport {
    type Body = EndlessBody;

    fn send(
        &self,
        request: OutgoingRequest,
        _: AttemptProgress,
    ) -> impl Future<Output = Result<IncomingResponse<EndlessBody>, TransportError>> + Send + use<>
    {
        let body = EndlessBody {
            is_good: request.url.path() == "/good",
            is_sent: false,
        };
        let (status, version) = (http::StatusCode::OK, http::Version::HTTP_11);
        let headers = http::HeaderMap::new();
        ready(Ok(IncomingResponse::new(status, version, headers, body)))
    }
}

impl Adapter for EndlessTransport {
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

fn endless(n: usize) -> Request {
    let url = format!("http://endless{n}.test/");
    let request = Request::get(&url).unwrap();
    request.body_retention(BodyRetention::Discard)
}

fn builder(policy: Policy) -> Builder<EndlessTransport> {
    let policy = policy.attempts(1).max_body(u64::MAX);
    Builder::new(EndlessTransport).rules(PolicyRules::from_policy(policy))
}

#[test]
fn limits_fire_beside_bodies_that_are_always_ready() {
    let limit = Duration::from_millis(200);
    let fetcher = builder(Policy::default().attempt_timeout(limit));
    let fetcher = fetcher.build().unwrap();
    let outcomes: Vec<_> = block_on(fetcher.fetch_all((0..20).map(endless)).collect());
    let timeout = ErrorKind::Fetch(FetchError::TimedOut(TimeLimit::Attempt));
    for outcome in outcomes {
        assert_eq!(outcome.error().unwrap().kind(), timeout);
    }
}

#[test]
fn new_requests_and_cancellation_get_through_beside_bodies_that_are_always_ready() {
    let policy = Policy::default().timeouts(Timeouts::NONE);
    let fetcher = builder(policy).build().unwrap();
    let floods = fetcher.fetch_all((0..20).map(endless));
    let good = (0..100).map(|n| format!("http://good{n}.test/good"));
    let outcomes: Vec<_> = block_on(fetcher.fetch_all(good).collect());
    assert!(outcomes.iter().all(fetch_driver::Outcome::is_success));
    drop(floods);
    while fetcher.stats().live > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
}
