//! A server in memory that sends given bytes, and an executor that notices when nothing can go on.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fetch_driver::{AttemptProgress, Clock, FailureKind, OutgoingRequest, Transport};
use fetch_http::{HttpRuntime, HttpStream, HttpTransport};
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::StreamExt;
use http::{Method, StatusCode};

/// The most turns of the executor for an exchange without bytes, and for each byte of it.
const TURNS: usize = 10_000;
const TURNS_PER_BYTE: usize = 64;

/// The marker that begins the frames of a client of HTTP/2.
const H2_PREFACE: usize = 24;

/// How a connection's bytes arrive.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// What the server sends. Then it closes the connection.
    pub(crate) bytes: Vec<u8>,
    /// The most bytes of a read.
    pub(crate) piece: usize,
    /// Whether each piece arrives a turn after the one before.
    pub(crate) is_slow: bool,
    /// The byte before which the server waits, and what for.
    pub(crate) pause: Option<(usize, Awaited)>,
}

/// What a server waits for. If the client waits for the server, too, the server goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Awaited {
    /// The head of a request of HTTP/2.
    H2Head,
    /// Any bytes.
    Bytes,
}

impl Script {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            piece: usize::MAX,
            is_slow: false,
            pause: None,
        }
    }

    /// How the bytes arrive, by the bits of a byte of the input.
    pub(crate) fn in_pieces(mut self, choice: u8) -> Self {
        self.piece = [1, 2, 3, 7, 16, 100, 1000, usize::MAX][usize::from(choice & 7)];
        self.is_slow = choice & 8 != 0;
        self
    }
}

/// A runtime whose connections are scripts, in their order; the last is used again.
#[derive(Clone)]
pub(crate) struct ScriptRuntime(Arc<Shared>);

struct Shared {
    connects: AtomicUsize,
    is_impatient: AtomicBool,
    scripts: Vec<Script>,
    tasks: Mutex<Vec<BoxedTask>>,
    waiting: Mutex<Option<Waker>>,
}

type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

impl ScriptRuntime {
    pub(crate) fn new(scripts: impl IntoIterator<Item = Script>) -> Self {
        Self(Arc::new(Shared {
            connects: AtomicUsize::new(0),
            is_impatient: AtomicBool::new(false),
            scripts: scripts.into_iter().collect(),
            tasks: Mutex::default(),
            waiting: Mutex::default(),
        }))
    }

    pub(crate) fn connects(&self) -> usize {
        self.0.connects.load(Ordering::Relaxed)
    }

    /// Runs a future and the tasks that it spawns. Panics if none of them can go on, or if they take more
    /// turns than their bytes explain. No timer ends.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let woken = Arc::new(WakeFlag(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        let bytes: usize = self.0.scripts.iter().map(|script| script.bytes.len()).sum();
        let mut tasks: Vec<BoxedTask> = Vec::new();
        for _ in 0..TURNS + TURNS_PER_BYTE * bytes {
            if !woken.0.swap(false, Ordering::Relaxed) {
                let waiting = lock(&self.0.waiting).take();
                assert!(waiting.is_some(), "it waits for nothing");
                self.0.is_impatient.store(true, Ordering::Relaxed);
            }
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            let spawned = std::mem::take(&mut *lock(&self.0.tasks));
            tasks.extend(spawned);
            tasks.retain_mut(|task| task.as_mut().poll(&mut cx).is_pending());
        }
        panic!("more turns than its bytes explain");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct WakeFlag(AtomicBool);

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl HttpRuntime for ScriptRuntime {
    type Stream = ScriptedStream;

    async fn connect(&self, _: SocketAddr) -> io::Result<ScriptedStream> {
        let number = self.0.connects.fetch_add(1, Ordering::Relaxed);
        let script = &self.0.scripts[number.min(self.0.scripts.len() - 1)];
        Ok(ScriptedStream {
            shared: Some(self.0.clone()),
            ..ScriptedStream::new(script.clone())
        })
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.0.tasks).push(Box::pin(task));
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending::<()>().await;
    }
}

/// A connection: reads come from the script, and writes are only counted.
pub(crate) struct ScriptedStream {
    script: Script,
    read: usize,
    is_due: bool,
    request: RequestScan,
    has_written: bool,
    shared: Option<Arc<Shared>>,
}

impl ScriptedStream {
    pub(crate) fn new(script: Script) -> Self {
        Self {
            is_due: !script.is_slow,
            script,
            read: 0,
            request: RequestScan::default(),
            has_written: false,
            shared: None,
        }
    }
}

impl HttpStream for ScriptedStream {}

impl AsyncRead for ScriptedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut end = self.script.bytes.len();
        if let Some((pause, awaited)) = self.script.pause
            && let Some(shared) = &self.shared
        {
            let has_come = match awaited {
                Awaited::H2Head => self.request.is_complete,
                Awaited::Bytes => self.has_written,
            };
            if !has_come && !shared.is_impatient.load(Ordering::Relaxed) {
                end = end.min(pause);
                if self.read == end {
                    *lock(&shared.waiting) = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
        if !std::mem::replace(&mut self.is_due, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let from = self.read;
        let length = (end - from).min(buf.len()).min(self.script.piece);
        buf[..length].copy_from_slice(&self.script.bytes[from..from + length]);
        self.read += length;
        self.is_due = !self.script.is_slow;
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for ScriptedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some((pause, awaited)) = self.script.pause {
            match awaited {
                Awaited::H2Head => self.request.add(bytes),
                Awaited::Bytes => self.has_written |= self.read >= pause,
            }
            if let Some(shared) = &self.shared
                && let Some(waker) = lock(&shared.waiting).take()
            {
                waker.wake();
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Finds the first HEADERS frame in what a client of HTTP/2 writes.
#[derive(Default)]
struct RequestScan {
    bytes: Vec<u8>,
    is_complete: bool,
}

impl RequestScan {
    fn add(&mut self, bytes: &[u8]) {
        if self.is_complete {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        let mut rest = self.bytes.get(H2_PREFACE..).unwrap_or_default();
        while let Some((head, after)) = rest.split_first_chunk::<9>() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            if after.len() < length {
                break;
            }
            self.is_complete |= head[3] == 1;
            rest = &after[length..];
        }
    }
}

/// A response as far as it arrived.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    /// How the body ended.
    pub(crate) end: Result<(), FailureKind>,
}

impl Answer {
    /// Whether the whole body has arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.end.is_ok()
    }
}

/// Sends a request without a body, and reads the response.
pub(crate) async fn exchange(
    transport: &HttpTransport<ScriptRuntime>,
    method: Method,
    url: &str,
    max_body: u64,
) -> Result<Answer, FailureKind> {
    let url = url.parse().expect("the checks have valid URLs");
    let mut request = OutgoingRequest::new(method, Arc::new(url));
    request.max_body = max_body;
    let sent = transport.send(request, AttemptProgress::new(Clock::start()));
    let mut response = sent.await.map_err(|error| error.kind())?;
    let headers = response.headers.iter();
    let mut answer = Answer {
        status: response.status,
        headers: headers
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect(),
        body: Vec::new(),
        end: Ok(()),
    };
    while let Some(chunk) = response.body.next().await {
        match chunk {
            Ok(chunk) => answer.body.extend_from_slice(&chunk),
            Err(error) => {
                answer.end = Err(error.kind());
                break;
            }
        }
    }
    Ok(answer)
}
