use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fetch_driver::{FailureKind, Transport, TransportError};
use fetch_http::{HttpConfig, HttpRuntime, HttpStream, HttpTransport};
use futures_lite::{AsyncRead, AsyncWrite, future};
use smol::Executor;

use crate::client::{get, progress, read_body};

/// An in-memory server of one connection.
#[derive(Default)]
struct ServerState {
    answer: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
    requests: usize,
}

#[derive(Clone, Default)]
struct MemoryStream(Arc<Mutex<ServerState>>);

impl MemoryStream {
    fn close(&self) {
        let mut server = self.0.lock().unwrap();
        server.closed = true;
        if let Some(waker) = server.reader.take() {
            waker.wake();
        }
    }
}

impl HttpStream for MemoryStream {}

impl AsyncRead for MemoryStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut server = self.0.lock().unwrap();
        if server.answer.is_empty() && !server.closed {
            server.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(io::Read::read(&mut server.answer, buf))
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut server = self.0.lock().unwrap();
        if server.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        server.requests += 1;
        server
            .answer
            .extend(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        if let Some(waker) = server.reader.take() {
            waker.wake();
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Connects to in-memory servers, and runs tasks only during a fetch.
#[derive(Clone, Default)]
struct PausedRuntime {
    executor: Arc<Executor<'static>>,
    servers: Arc<Mutex<Vec<MemoryStream>>>,
}

impl PausedRuntime {
    fn fetch(&self, client: &HttpTransport<Self>) -> Result<Vec<u8>, TransportError> {
        future::block_on(self.executor.run(async {
            let response = client.send(get("http://127.0.0.1/"), progress()).await?;
            read_body(response.body).await
        }))
    }
}

impl HttpRuntime for PausedRuntime {
    type Stream = MemoryStream;

    async fn connect(&self, _: SocketAddr) -> io::Result<MemoryStream> {
        let server = MemoryStream::default();
        self.servers.lock().unwrap().push(server.clone());
        Ok(server)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.executor.spawn(task).detach();
    }

    async fn sleep(&self, _: Duration) {
        future::pending::<()>().await;
    }
}

#[test]
fn a_connection_known_to_be_closed_is_not_reused() {
    let runtime = PausedRuntime::default();
    let client = HttpTransport::new(runtime.clone(), HttpConfig::new());
    let fetch = || runtime.fetch(&client);
    assert_eq!(fetch().unwrap(), b"ok");

    let first = runtime.servers.lock().unwrap()[0].clone();
    first.close();
    // No task has run since.
    assert_eq!(fetch().unwrap(), b"ok");
    assert_eq!(first.0.lock().unwrap().requests, 1);
    assert_eq!(runtime.servers.lock().unwrap().len(), 2);
}

#[test]
fn a_failed_first_write_is_stale_and_unsent() {
    let runtime = PausedRuntime::default();
    let client = HttpTransport::new(runtime.clone(), HttpConfig::new());
    let fetch = || runtime.fetch(&client);
    fetch().unwrap();
    // The connection closes between the check and the request.
    runtime.servers.lock().unwrap()[0].0.lock().unwrap().closed = true;
    assert_eq!(
        fetch().unwrap_err().kind(),
        FailureKind::Stale { sent: false }
    );
}
