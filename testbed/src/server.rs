//! Accepts and serves connections.

mod handler;
pub(crate) mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use self::handler::handle;
use self::worker::WorkerThread;
use crate::connection::SiteConnection;
use crate::connection::stream::{ConnectionControl, ControlledStream, SocketStream};
use crate::state::SiteState;

/// Time that a peer has to read the alert after a failed TLS handshake.
const ALERT_TIMEOUT: Duration = Duration::from_secs(1);

/// Accepts connections on the first worker and distributes them over all workers in turn.
pub(crate) fn listen_tcp(
    listener: std::net::TcpListener,
    state: &Arc<SiteState>,
    workers: &[WorkerThread],
) -> io::Result<()> {
    let handles: Vec<Handle> = workers
        .iter()
        .map(|worker| worker.handle().clone())
        .collect();
    let state = state.clone();
    let first = handles[0].clone();
    let _context = first.enter();
    let listener = TcpListener::from_std(listener)?;
    first.spawn(async move {
        for turn in 0_usize.. {
            accept_one(&listener, &state, &handles, turn % handles.len()).await;
        }
    });
    Ok(())
}

async fn accept_one(
    listener: &TcpListener,
    state: &Arc<SiteState>,
    handles: &[Handle],
    turn: usize,
) {
    let Ok((socket, _)) = listener.accept().await else {
        // Probably out of file descriptors: wait until some connections are closed.
        return tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let Ok(local) = socket.local_addr() else {
        return;
    };
    let guard = ConnectionGuard::new(state.clone());
    if turn == 0 {
        tokio::spawn(serve_tcp(socket, local, guard));
        return;
    }
    // The socket is registered with the first worker's reactor and moves to the other worker's.
    let Ok(socket) = socket.into_std() else {
        return;
    };
    handles[turn].spawn(async move {
        if let Ok(socket) = TcpStream::from_std(socket) {
            serve_tcp(socket, local, guard).await;
        }
    });
}

/// Counts a connection as open until it is dropped.
#[derive(Debug)]
struct ConnectionGuard(Arc<SiteState>);

impl ConnectionGuard {
    fn new(state: Arc<SiteState>) -> Self {
        state.observer.connections.enter();
        Self(state)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.observer.connections.leave();
    }
}

/// Accepts connections to a Unix socket, without TLS, on one worker.
#[cfg(unix)]
pub(crate) fn listen_unix(
    path: &std::path::Path,
    local: SocketAddr,
    state: &Arc<SiteState>,
    worker: &WorkerThread,
) -> io::Result<()> {
    let _context = worker.handle().enter();
    let listener = tokio::net::UnixListener::bind(path)?;
    let state = state.clone();
    worker.handle().spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let guard = ConnectionGuard::new(state.clone());
            let http2 = state.http2;
            tokio::spawn(serve_http(SocketStream::Unix(socket), http2, local, guard));
        }
    });
    Ok(())
}

/// Serves one TCP connection until it ends.
async fn serve_tcp(socket: TcpStream, local: SocketAddr, guard: ConnectionGuard) {
    let _ = socket.set_nodelay(true);
    let mut http2 = guard.0.http2;
    let stream = match &guard.0.tls {
        None => SocketStream::Plain(socket),
        Some(tls) => {
            let stream = match tls.0.accept(socket).into_fallible().await {
                Ok(stream) => stream,
                // Closing a socket with unread data resets it, and the peer would lose the alert.
                Err((_, mut socket)) => {
                    let mut sink = tokio::io::sink();
                    let rest = tokio::io::copy(&mut socket, &mut sink);
                    let _ = tokio::time::timeout(ALERT_TIMEOUT, rest).await;
                    return;
                }
            };
            http2 &= stream.get_ref().1.alpn_protocol() == Some(b"h2");
            SocketStream::Tls(Box::new(stream))
        }
    };
    serve_http(stream, http2, local, guard).await;
}

/// Serves HTTP over a stream until it ends.
async fn serve_http(stream: SocketStream, http2: bool, local: SocketAddr, guard: ConnectionGuard) {
    let control = Arc::new(ConnectionControl::default());
    let wire = TokioIo::new(ControlledStream::new(stream, control.clone()));
    let connection = Arc::new(SiteConnection::new(guard.0.clone(), control, local, http2));
    let service = service_fn({
        let connection = connection.clone();
        move |request| handle(connection.clone(), request)
    });
    // An error here is a requested fault or a closed peer. Both are counted elsewhere.
    if http2 {
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(guard.0.max_streams);
        let _ = builder.serve_connection(wire, service).await;
    } else {
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.header_read_timeout(None);
        let _ = builder.serve_connection(wire, service).await;
    }
    if connection.control.is_broken() {
        guard.0.observer.broken.fetch_add(1, Relaxed);
    }
}
