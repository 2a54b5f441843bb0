//! A fetcher as a tower service, as a layer, and over a service as its transport.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use fetch_driver::{
    Backoff, ErrorKind, FailureKind, FetchError, FetcherLayer, Policy, Request, ServiceBody,
    ServiceTransport, StreamedBody,
};
use fetch_smol::{Builder, Fetcher, StreamExt};
use fetch_testbed::Site;
use smol::block_on;
use tower_layer::Layer;
use tower_service::Service;

/// Fails the first `failures` requests, and answers the others with the method and the length of the body.
#[derive(Clone)]
struct FailingService {
    calls: Arc<AtomicUsize>,
    failures: usize,
    kind: io::ErrorKind,
}

impl Service<http::Request<ServiceBody>> for FailingService {
    type Response = http::Response<String>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<ServiceBody>) -> Self::Future {
        use http_body::Body;
        let fails = self.calls.fetch_add(1, Ordering::SeqCst) < self.failures;
        let kind = self.kind;
        Box::pin(async move {
            let length = request.body().size_hint().exact();
            match fails {
                true => Err(kind.into()),
                false => Ok(http::Response::new(format!(
                    "{} {length:?}",
                    request.method()
                ))),
            }
        })
    }
}

fn failing(failures: usize, kind: io::ErrorKind) -> FailingService {
    FailingService {
        calls: Arc::default(),
        failures,
        kind,
    }
}

fn builder() -> Builder {
    let policy = Policy::default().backoff(Backoff::default().base(std::time::Duration::ZERO));
    Fetcher::builder().policy(policy)
}

async fn read(body: StreamedBody) -> Vec<u8> {
    let chunks: Vec<_> = body.map(|chunk| chunk.unwrap()).collect().await;
    chunks.concat()
}

#[test]
fn a_fetcher_is_a_service_whose_small_bodies_are_sent_again() {
    let site = Site::start().unwrap();
    let mut service = builder().build().unwrap();
    let request = http::Request::put(site.url("/flaky/1?key=a")).body("text".to_owned());
    let response = block_on(service.call(request.unwrap())).unwrap();
    assert_eq!(response.status(), 200);
    let request = http::Request::post(site.url("/anything")).body("text".to_owned());
    let response = block_on(service.call(request.unwrap())).unwrap();
    let body = block_on(read(response.into_body()));
    assert!(String::from_utf8(body).unwrap().contains("text"));
}

#[test]
fn a_large_body_is_sent_while_it_is_read() {
    let site = Site::start().unwrap();
    let mut service = builder().build().unwrap();
    let large = "x".repeat(100_000);
    let request = http::Request::put(site.url("/flaky/1?key=b")).body(large);
    let response = block_on(service.call(request.unwrap())).unwrap();
    assert_eq!(response.status(), 503, "it cannot be sent again");
}

#[test]
fn an_invalid_url_is_an_error_of_the_service() {
    let mut service = builder().build().unwrap();
    let request = http::Request::get("/no-host").body(String::new()).unwrap();
    let error = block_on(service.call(request)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidUrl);
}

#[test]
fn a_layer_retries_what_its_service_fails() {
    let inner = failing(2, io::ErrorKind::ConnectionReset);
    let mut service = FetcherLayer::new(builder()).layer(inner.clone());
    let request = http::Request::get("http://a.test/").body(String::new());
    let response = block_on(service.call(request.unwrap())).unwrap();
    assert_eq!(block_on(read(response.into_body())), b"GET Some(0)");
    assert_eq!(inner.calls.load(Ordering::SeqCst), 3);
}

#[test]
fn a_service_that_could_not_connect_is_called_again_for_a_post() {
    for (kind, calls, failure) in [
        (io::ErrorKind::ConnectionRefused, 3, FailureKind::Connect),
        (io::ErrorKind::ConnectionReset, 1, FailureKind::Unanswered),
    ] {
        let inner = failing(9, kind);
        let transport = ServiceTransport::new(inner.clone());
        let fetcher = builder().transport(transport).build().unwrap();
        let request = Request::post("http://a.test/").unwrap().body("abc");
        let error = block_on(fetcher.get(request)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fetch(FetchError::Failed(failure)));
        assert_eq!(inner.calls.load(Ordering::SeqCst), calls);
    }
}

#[test]
fn a_layer_with_an_invalid_setting_fails_each_request_with_the_reason() {
    let layer = FetcherLayer::new(builder().danger_accept_invalid_certs(true));
    let mut service = layer.layer(failing(0, io::ErrorKind::Other));
    let request = http::Request::get("http://a.test/").body(String::new());
    let error = block_on(service.call(request.unwrap())).unwrap_err();
    assert!(error.to_string().contains("insecure"), "{error}");
}
