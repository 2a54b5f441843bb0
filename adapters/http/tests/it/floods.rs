//! Servers that always have more to send: every poll ends, and floods without content end.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fetch_driver::{FailureKind, Transport, TransportError};
use fetch_http::{HttpConfig, HttpRuntime, HttpStream, HttpTransport, ResponseBody};
use fetch_testbed::Flood;
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};

use crate::client::{get, progress};

/// The most bytes that a poll may read: a turn, and the read that exceeds it.
const MAX_PER_POLL: usize = 256 * 1024 + 64 * 1024;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A runtime whose connections never block: `start`, then `repeated` without an end.
#[derive(Clone)]
struct MemoryRuntime {
    bytes: Arc<(Vec<u8>, Vec<u8>)>,
    read: Arc<AtomicUsize>,
    tasks: Arc<Mutex<Vec<Task>>>,
}

struct MemoryStream {
    at: usize,
    runtime: MemoryRuntime,
}

impl HttpRuntime for MemoryRuntime {
    type Stream = MemoryStream;

    async fn connect(&self, _: SocketAddr) -> io::Result<MemoryStream> {
        let runtime = self.clone();
        Ok(MemoryStream { at: 0, runtime })
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap().push(Box::pin(task));
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending::<()>().await;
    }
}

impl HttpStream for MemoryStream {}

impl AsyncRead for MemoryStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = self.runtime.bytes.clone();
        let (start, repeated) = &*bytes;
        let from = match self.at.checked_sub(start.len()) {
            None => &start[self.at..],
            Some(at) => &repeated[at % repeated.len()..],
        };
        let n = from.len().min(buf.len());
        buf[..n].copy_from_slice(&from[..n]);
        self.at += n;
        self.runtime.read.fetch_add(n, SeqCst);
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Default)]
struct WakeCount(AtomicUsize);

impl Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A client of such a server, which checks each poll.
struct PollingClient {
    runtime: MemoryRuntime,
    transport: HttpTransport<MemoryRuntime>,
    wakes: Arc<WakeCount>,
}

impl PollingClient {
    fn new(start: &[u8], repeated: &[u8], http2: bool) -> Self {
        // Long enough that a read gets as much as it asks for.
        let repeated = repeated.repeat(256 * 1024 / repeated.len());
        let runtime = MemoryRuntime {
            bytes: Arc::new((start.to_vec(), repeated)),
            read: Arc::default(),
            tasks: Arc::default(),
        };
        let config = match http2 {
            true => HttpConfig::new().http2(fetch_driver::Http2Mode::PriorKnowledge),
            false => HttpConfig::new(),
        };
        let transport = HttpTransport::new(runtime.clone(), config);
        Self {
            runtime,
            transport,
            wakes: Arc::default(),
        }
    }

    fn read(&self) -> usize {
        self.runtime.read.load(SeqCst)
    }

    /// Polls once, and checks how much that read and that it is woken again if it stopped early.
    fn poll_once<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let waker = Waker::from(self.wakes.clone());
        let (read, wakes) = (self.read(), self.wakes.0.load(SeqCst));
        let polled = poll(&mut Context::from_waker(&waker));
        let read = self.read() - read;
        assert!(read <= MAX_PER_POLL, "{read} bytes in one poll");
        if polled.is_pending() && read > 0 {
            assert!(self.wakes.0.load(SeqCst) > wakes, "not woken");
        }
        polled
    }

    /// Polls the tasks of connections once.
    fn poll_tasks(&self) {
        let tasks = std::mem::take(&mut *self.runtime.tasks.lock().unwrap());
        for mut task in tasks {
            if self.poll_once(|cx| task.as_mut().poll(cx)).is_pending() {
                self.runtime.tasks.lock().unwrap().push(task);
            }
        }
    }

    fn respond(&self) -> Result<ResponseBody, TransportError> {
        let request = get("http://127.0.0.1/");
        let mut response = pin!(self.transport.send(request, progress()));
        loop {
            if let Poll::Ready(response) = self.poll_once(|cx| response.as_mut().poll(cx)) {
                return response.map(|response| response.body);
            }
            self.poll_tasks();
        }
    }

    /// Reads the body until it fails or more than `max` bytes were read.
    fn read_body(&self, mut body: ResponseBody, max: usize) -> Result<(), TransportError> {
        while self.read() < max {
            // As the driver does, up to the first time that it is pending.
            let polled = self.poll_once(|cx| {
                loop {
                    match Pin::new(&mut body).poll_next(cx) {
                        Poll::Ready(Some(Ok(_))) => {}
                        Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                        Poll::Ready(None) => return Poll::Ready(Ok(())),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            });
            if let Poll::Ready(result) = polled {
                return result;
            }
            self.poll_tasks();
        }
        Ok(())
    }
}

#[test]
fn floods_without_content_end_their_connection_soon_and_in_turns() {
    for flood in Flood::ALL {
        let (start, repeated) = flood.bytes();
        // An empty SETTINGS frame.
        let settings: &[u8] = match flood.is_http2() {
            true => &[0, 0, 0, 4, 0, 0, 0, 0, 0],
            false => &[],
        };
        let client = PollingClient::new(&[settings, &start].concat(), &repeated, flood.is_http2());
        let ended = client.respond();
        let ended = ended.and_then(|body| client.read_body(body, 64 << 20));
        let error = ended.expect_err(&format!("{flood:?}"));
        let kind = error.kind();
        let is_expected = matches!(kind, FailureKind::Protocol | FailureKind::Decode);
        assert!(is_expected && !kind.is_transient(), "{flood:?}: {error:?}");
        let read = client.read();
        assert!(read < 1 << 20, "{flood:?}: {read} bytes");
    }
}

#[test]
fn endless_bodies_are_read_in_turns() {
    let heads = [
        "\r\n",
        "Content-Length: 1000000000000\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\n",
    ];
    for head in heads {
        let start = format!("HTTP/1.1 200 OK\r\n{head}");
        let client = PollingClient::new(start.as_bytes(), &[b'x'; 1_000], false);
        let body = client.respond().unwrap();
        client.read_body(body, 4 << 20).unwrap();
        assert!(client.read() >= 4 << 20);
    }
}

#[test]
fn an_endless_head_is_bounded() {
    let client = PollingClient::new(b"HTTP/1.1 200 OK\r\n", b"X: y", false);
    let error = client.respond().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Protocol, "{error:?}");
    assert!(client.read() <= 2 * MAX_PER_POLL);
}
