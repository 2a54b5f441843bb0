//! A separate process, because the test uses up all file descriptors.
#![cfg(unix)]

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fetch_driver::{
    AttemptProgress, Clock, FailureKind, OutgoingRequest, Transport, TransportError,
};
use fetch_http::{AsyncIoSocket, HttpConfig, HttpRuntime, HttpTransport};
use fetch_testbed::Site;
use futures_lite::StreamExt;
use http::Method;
use smol::block_on;

#[derive(Clone)]
struct Smol;

impl HttpRuntime for Smol {
    type Stream = AsyncIoSocket;

    async fn connect(&self, addr: SocketAddr) -> io::Result<AsyncIoSocket> {
        AsyncIoSocket::connect(addr).await
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    async fn sleep(&self, duration: Duration) {
        smol::Timer::after(duration).await;
    }
}

async fn fetch(client: &HttpTransport<Smol>, url: &str) -> Result<(), TransportError> {
    let request = OutgoingRequest::new(Method::GET, Arc::new(url.parse().unwrap()));
    let mut response = client
        .send(request, AttemptProgress::new(Clock::start()))
        .await?;
    while let Some(chunk) = response.body.next().await {
        chunk?;
    }
    Ok(())
}

#[test]
fn exhausted_descriptors_empty_the_pool() {
    assert!(fetch_http::raise_fd_limit().unwrap() > 0);
    let (_, hard) = rlimit::Resource::NOFILE.get().unwrap();
    rlimit::Resource::NOFILE.set(200, hard).unwrap();
    let site = Site::builder().addresses(2).start().unwrap();
    let client = HttpTransport::new(Smol, HttpConfig::new());
    block_on(fetch(&client, &site.url_at(0, "/get"))).unwrap();
    assert_eq!(client.open_connections(), 1);

    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    let error = block_on(fetch(&client, &site.url_at(1, "/get"))).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Exhausted, "{error}");
    assert_eq!(client.open_connections(), 0);

    taken.clear();
    block_on(fetch(&client, &site.url_at(1, "/get"))).unwrap();
}
