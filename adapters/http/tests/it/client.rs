//! What every test needs: a runtime, a request, a way to read a response.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fetch_driver::{
    Clock, Failure, Incoming, Marks, Outgoing, RequestBody, Transport, TransportError,
};
use fetch_http::{AsyncIoSocket, HttpConfig, HttpRuntime, HttpTransport, ResponseBody};
use futures_lite::StreamExt;
use http::Method;

/// Long enough for any machine; only a broken test ever waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

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

pub(crate) type Client = HttpTransport<Smol>;
pub(crate) type Response = Result<Incoming<ResponseBody>, TransportError>;

pub(crate) fn client() -> Client {
    with(HttpConfig::new())
}

pub(crate) fn with(config: HttpConfig) -> Client {
    HttpTransport::new(Smol, config)
}

pub(crate) fn get(url: &str) -> Outgoing {
    Outgoing {
        body: RequestBody::Empty,
        fresh_connection: false,
        headers: Arc::default(),
        max_body: u64::MAX,
        method: Method::GET,
        path_as_is: None,
        url: Arc::new(url.parse().unwrap()),
    }
}

pub(crate) fn marks() -> Marks {
    Marks::new(Clock::start())
}

pub(crate) async fn send(client: &Client, request: Outgoing) -> Response {
    client.send(request, marks()).await
}

/// Fetches all of it: status and body.
pub(crate) async fn fetch(client: &Client, url: &str) -> Result<(u16, Vec<u8>), TransportError> {
    let response = send(client, get(url)).await?;
    let status = response.status.as_u16();
    Ok((status, read(response.body).await?))
}

pub(crate) async fn read(mut body: ResponseBody) -> Result<Vec<u8>, TransportError> {
    let mut all = Vec::new();
    while let Some(chunk) = body.next().await {
        all.extend_from_slice(&chunk?);
    }
    Ok(all)
}

/// How a fetch fails, wherever in the response it does.
pub(crate) async fn failure(client: &Client, url: &str) -> Failure {
    fetch(client, url).await.expect_err(url).kind()
}

/// Waits until no connection is open any more.
pub(crate) async fn all_closed(client: &Client) {
    while client.open_connections() > 0 {
        smol::Timer::after(Duration::from_millis(1)).await;
    }
}
