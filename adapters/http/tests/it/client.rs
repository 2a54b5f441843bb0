//! Shared by all tests: a runtime, requests, and reading of responses.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fetch_driver::{
    AttemptProgress, Clock, FailureKind, IncomingResponse, OutgoingRequest, Transport,
    TransportError,
};
use fetch_http::{AsyncIoSocket, HttpConfig, HttpRuntime, HttpTransport, ResponseBody};
use futures_lite::StreamExt;
use http::Method;

/// Long enough for any machine. Only a failing test waits this long.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(crate) struct Smol;

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

pub(crate) type TestClient = HttpTransport<Smol>;
pub(crate) type SendResult = Result<IncomingResponse<ResponseBody>, TransportError>;

pub(crate) fn client() -> TestClient {
    client_with(HttpConfig::new())
}

pub(crate) fn client_with(config: HttpConfig) -> TestClient {
    HttpTransport::new(Smol, config)
}

pub(crate) fn get(url: &str) -> OutgoingRequest {
    OutgoingRequest::new(Method::GET, Arc::new(url.parse().unwrap()))
}

pub(crate) fn progress() -> AttemptProgress {
    AttemptProgress::new(Clock::start())
}

pub(crate) async fn send(client: &TestClient, request: OutgoingRequest) -> SendResult {
    client.send(request, progress()).await
}

/// Fetches status and body.
pub(crate) async fn fetch(
    client: &TestClient,
    url: &str,
) -> Result<(u16, Vec<u8>), TransportError> {
    let response = send(client, get(url)).await?;
    let status = response.status.as_u16();
    Ok((status, read_body(response.body).await?))
}

pub(crate) async fn read_body(mut body: ResponseBody) -> Result<Vec<u8>, TransportError> {
    let mut all = Vec::new();
    while let Some(chunk) = body.next().await {
        all.extend_from_slice(&chunk?);
    }
    Ok(all)
}

/// The kind of failure, in the head or in the body.
pub(crate) async fn failure(client: &TestClient, url: &str) -> FailureKind {
    fetch(client, url).await.expect_err(url).kind()
}

/// Waits until no connection is open.
pub(crate) async fn wait_all_closed(client: &TestClient) {
    while client.open_connections() > 0 {
        smol::Timer::after(Duration::from_millis(1)).await;
    }
}
