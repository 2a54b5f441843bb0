//! The HTTP server of the metrics, on a separate thread, so that clients do not slow the run down.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use metrics_exporter_prometheus::PrometheusHandle;
use smol::lock::Semaphore;
use smol::{Async, LocalExecutor, Timer};
use smol_hyper::rt::{FuturesIo, SmolTimer};

use super::page;
use crate::mutex::lock;
use crate::ui::counts::ProgressCounts;

/// The most connections at once. Others wait.
const MAX_CONNECTIONS: usize = 32;

/// The timeout of a request's head. A connection is closed after six times this.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The interval of the recorder's upkeep, which bounds its memory without requests.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

struct MonitorState {
    counts: Arc<Mutex<ProgressCounts>>,
    handle: PrometheusHandle,
}

/// Starts the thread, which ends with the process.
pub(super) fn start(
    listener: TcpListener,
    handle: PrometheusHandle,
    counts: Arc<Mutex<ProgressCounts>>,
) -> io::Result<()> {
    let listener = Async::new(listener)?;
    let state = Arc::new(MonitorState { counts, handle });
    let run = move || {
        let executor = LocalExecutor::new();
        smol::block_on(executor.run(serve(&executor, &listener, &state)));
    };
    std::thread::Builder::new()
        .name("metrics".into())
        .spawn(run)?;
    Ok(())
}

async fn serve(
    executor: &LocalExecutor<'_>,
    listener: &Async<TcpListener>,
    state: &Arc<MonitorState>,
) {
    let upkeep = state.handle.clone();
    let upkeep = async move {
        loop {
            Timer::after(UPKEEP_INTERVAL).await;
            upkeep.run_upkeep();
        }
    };
    executor.spawn(upkeep).detach();
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let permit = connections.acquire_arc().await;
        let Ok((socket, _)) = listener.accept().await else {
            // Most likely out of file descriptors: some will be closed soon.
            Timer::after(Duration::from_millis(50)).await;
            continue;
        };
        let state = state.clone();
        let connection = async move {
            let service = service_fn(|request| {
                let response = respond(&request, &state);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(SmolTimer::new())
                .header_read_timeout(READ_TIMEOUT)
                .max_buf_size(16 << 10)
                .serve_connection(FuturesIo::new(socket), service);
            let timeout = async {
                Timer::after(6 * READ_TIMEOUT).await;
                Ok(())
            };
            let _ = future::or(connection, timeout).await;
            drop(permit);
        };
        executor.spawn(connection).detach();
    }
}

fn respond(request: &Request<Incoming>, state: &MonitorState) -> Response<Full<Bytes>> {
    let is_allowed = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, kind, text) = match request.uri().path() {
        _ if !is_allowed => (
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "use GET\n".into(),
        ),
        "/metrics" => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            (StatusCode::OK, kind, state.handle.render())
        }
        "/healthz" => (StatusCode::OK, "text/plain", "ok\n".into()),
        "/" => {
            let counts = *lock(&state.counts);
            (
                StatusCode::OK,
                "text/html; charset=utf-8",
                page::render_page(&counts),
            )
        }
        _ => {
            let text = "not found: use /, /metrics or /healthz\n".to_owned();
            (StatusCode::NOT_FOUND, "text/plain", text)
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    let policy = http::HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
