//! A server that is a function, and helpers.

use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fetch_driver::{
    Adapter, AsyncIoTimer, AttemptProgress, Backoff, BuildError, Builder, Cache, FailureKind,
    Fetcher, IncomingResponse, OutgoingRequest, Policy, PolicyRules, Request, Response, Settings,
    Transport, TransportError,
};
use futures_lite::future::block_on;
use futures_lite::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

pub(crate) type Chunk = Result<Bytes, TransportError>;
pub(crate) type Body = stream::Boxed<Chunk>;
type SendResult = Result<IncomingResponse<Body>, TransportError>;
pub(crate) type SendFuture = Pin<Box<dyn Future<Output = SendResult> + Send>>;
type Answer = Arc<dyn Fn(&OutgoingRequest, usize) -> SendFuture + Send + Sync>;

/// A server that is a function of the request and the number of requests before it.
#[derive(Clone)]
pub(crate) struct Server {
    answer: Answer,
    requests: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl Server {
    pub(crate) fn new(
        answer: impl Fn(&OutgoingRequest, usize) -> SendFuture + Send + Sync + 'static,
    ) -> Self {
        Self {
            answer: Arc::new(answer),
            requests: Arc::default(),
        }
    }

    /// Answers everything by 200 with these fields, and its number as the body.
    pub(crate) fn fixed(fields: &'static [(&'static str, &'static str)]) -> Self {
        Self::new(move |_, n| respond(200, fields, &n.to_string()))
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub(crate) fn field(&self, n: usize, name: &str) -> Option<String> {
        let requests = self.requests.lock().unwrap();
        let value = requests[n].1.get(name)?;
        Some(value.to_str().unwrap().to_owned())
    }

    pub(crate) fn fetcher(&self, cache: &Cache) -> Fetcher<Self> {
        self.builder(cache).build().unwrap()
    }

    pub(crate) fn builder(&self, cache: &Cache) -> Builder<Self> {
        let policy = Policy::default().backoff(Backoff::default().base(Duration::ZERO));
        Builder::new(self.clone())
            .cache(cache.clone())
            .rules(PolicyRules::from_policy(policy.attempts(1)))
    }
}

impl Transport for Server {
    type Body = Body;

    fn send(
        &self,
        request: OutgoingRequest,
        _: AttemptProgress,
    ) -> impl Future<Output = SendResult> + Send + use<> {
        let n = {
            let mut requests = self.requests.lock().unwrap();
            let line = format!("{} {}", request.method, request.url.path());
            requests.push((line, (*request.headers).clone()));
            requests.len()
        };
        (self.answer)(&request, n)
    }
}

impl Adapter for Server {
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

pub(crate) fn respond_with(status: u16, fields: &[(&str, &str)], chunks: Vec<Chunk>) -> SendFuture {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let status = StatusCode::from_u16(status).unwrap();
    let body = stream::iter(chunks).boxed();
    let response = IncomingResponse::new(status, Version::HTTP_11, headers, body);
    Box::pin(ready(Ok(response)))
}

pub(crate) fn respond(status: u16, fields: &[(&str, &str)], body: &str) -> SendFuture {
    respond_with(status, fields, vec![Ok(Bytes::from(body.to_owned()))])
}

pub(crate) fn refuse() -> SendFuture {
    let error = TransportError::new(FailureKind::Connect, "refused");
    Box::pin(ready(Err(error)))
}

pub(crate) fn cache() -> Cache {
    Cache::memory(1 << 20)
}

pub(crate) const URL: &str = "http://a.test/x";
pub(crate) const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=1000")];
pub(crate) const STALE: &[(&str, &str)] = &[
    ("cache-control", "max-age=0, stale-if-error=1000"),
    ("etag", "\"1\""),
];

pub(crate) fn get<A>(fetcher: &Fetcher<A>, request: Request) -> Response {
    block_on(fetcher.get(request)).unwrap()
}

pub(crate) fn request() -> Request {
    Request::get(URL).unwrap()
}

/// Body and `Cache-Status` of a response.
pub(crate) fn told(response: &Response) -> (String, String) {
    let status = response.cache_status().unwrap().to_string();
    let status = status.strip_prefix("fetch-all; ").unwrap().to_owned();
    (response.text().into_owned(), status)
}

pub(crate) fn is_told(response: &Response, body: &str, status: &str) {
    let (found_body, found) = told(response);
    assert_eq!((&*found_body, &*found), (body, status));
}
