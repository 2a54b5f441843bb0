//! Threads and the connections they accept and serve.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::connection::{Connection, handle};
use crate::faults::Memory;
use crate::observe::Observer;
use crate::wire::{Control, Stream, Wire};

/// How long a peer whose TLS was refused may take to read why.
const ALERT: Duration = Duration::from_secs(1);

/// What all connections of a site share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) observer: Observer,
    pub(crate) memory: Memory,
    pub(crate) keep_alive_requests: Option<u64>,
    pub(crate) tls: Option<Tls>,
    pub(crate) http2: bool,
    pub(crate) max_streams: u32,
    pub(crate) robots: Option<(u16, String)>,
}

pub(crate) struct Tls(pub(crate) TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tls")
    }
}

/// A thread with its runtime, which ends when its sender is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let run = move || run(runtime, stopped);
        let thread = std::thread::Builder::new()
            .name("fetch-testbed".into())
            .spawn(run)?;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn stop(&mut self) {
        self.stop = None;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // A panic there is printed there; a second one here would hide it.
            let _ = thread.join();
        }
    }
}

/// Runs until told to stop; dropping the runtime then closes every connection.
fn run(runtime: Runtime, stopped: oneshot::Receiver<()>) {
    let _ = runtime.block_on(stopped);
}

/// Accepts connections on the first worker and deals them out to all of them in turn.
pub(crate) fn listen(
    listener: std::net::TcpListener,
    shared: &Arc<Shared>,
    workers: &[Worker],
) -> io::Result<()> {
    let handles: Vec<Handle> = workers.iter().map(|worker| worker.handle.clone()).collect();
    let shared = shared.clone();
    let first = handles[0].clone();
    let _context = first.enter();
    let listener = TcpListener::from_std(listener)?;
    first.spawn(async move {
        for turn in 0_usize.. {
            accept(&listener, &shared, &handles, turn % handles.len()).await;
        }
    });
    Ok(())
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>, handles: &[Handle], turn: usize) {
    let Ok((socket, _)) = listener.accept().await else {
        // Out of file descriptors, most likely: wait until some connections are closed.
        return tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let Ok(local) = socket.local_addr() else {
        return;
    };
    let open = Open::new(shared.clone());
    if turn == 0 {
        tokio::spawn(serve(socket, local, open));
        return;
    }
    // The socket is known to the first worker's reactor and has to move to the other's.
    let Ok(socket) = socket.into_std() else {
        return;
    };
    handles[turn].spawn(async move {
        if let Ok(socket) = TcpStream::from_std(socket) {
            serve(socket, local, open).await;
        }
    });
}

/// Counts a connection while it is open.
#[derive(Debug)]
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: Arc<Shared>) -> Self {
        shared.observer.connections.enter();
        Self(shared)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.observer.connections.leave();
    }
}

/// Accepts connections to a Unix socket, without TLS, on one worker.
#[cfg(unix)]
pub(crate) fn listen_unix(
    path: &std::path::Path,
    local: SocketAddr,
    shared: &Arc<Shared>,
    worker: &Worker,
) -> io::Result<()> {
    let _context = worker.handle.enter();
    let listener = tokio::net::UnixListener::bind(path)?;
    let shared = shared.clone();
    worker.handle.spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let open = Open::new(shared.clone());
            let http2 = shared.http2;
            tokio::spawn(speak(Stream::Unix(socket), http2, local, open));
        }
    });
    Ok(())
}

/// Serves one TCP connection to its end.
async fn serve(socket: TcpStream, local: SocketAddr, open: Open) {
    let _ = socket.set_nodelay(true);
    let mut http2 = open.0.http2;
    let stream = match &open.0.tls {
        None => Stream::Plain(socket),
        Some(tls) => {
            let stream = match tls.0.accept(socket).into_fallible().await {
                Ok(stream) => stream,
                // Closed at once, with something unread, it would take the alert along.
                Err((_, mut socket)) => {
                    let mut nowhere = tokio::io::sink();
                    let rest = tokio::io::copy(&mut socket, &mut nowhere);
                    let _ = tokio::time::timeout(ALERT, rest).await;
                    return;
                }
            };
            http2 &= stream.get_ref().1.alpn_protocol() == Some(b"h2");
            Stream::Tls(Box::new(stream))
        }
    };
    speak(stream, http2, local, open).await;
}

/// Speaks HTTP over a stream to its end.
async fn speak(stream: Stream, http2: bool, local: SocketAddr, open: Open) {
    let control = Arc::new(Control::default());
    let wire = TokioIo::new(Wire::new(stream, control.clone()));
    let connection = Arc::new(Connection::new(open.0.clone(), control, local, http2));
    let service = service_fn({
        let connection = connection.clone();
        move |request| handle(connection.clone(), request)
    });
    // An error here is a fault that was asked for or a peer that has gone; both are counted elsewhere.
    if http2 {
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(open.0.max_streams);
        let _ = builder.serve_connection(wire, service).await;
    } else {
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.header_read_timeout(None);
        let _ = builder.serve_connection(wire, service).await;
    }
    if connection.control.is_broken() {
        open.0.observer.broken.fetch_add(1, Relaxed);
    }
}
