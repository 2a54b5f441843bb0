//! The port: a thread of its own, so that who watches slows nothing down.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;

use super::{Standing, page};

/// So many may be connected at once; others wait.
const MAX_CONNECTIONS: usize = 32;

/// A request's head must be here by then, and a connection is closed after so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often what was measured is put together, whether anybody asks or not.
const UPKEEP: Duration = Duration::from_secs(5);

struct Shown {
    handle: PrometheusHandle,
    standing: Arc<Mutex<Standing>>,
}

/// Starts the thread, which ends with the process.
pub(super) fn start(
    listener: TcpListener,
    handle: PrometheusHandle,
    standing: Arc<Mutex<Standing>>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let shown = Arc::new(Shown { handle, standing });
    let run = move || runtime.block_on(serve(listener, shown));
    std::thread::Builder::new()
        .name("metrics".into())
        .spawn(run)?;
    Ok(())
}

async fn serve(listener: TcpListener, shown: Arc<Shown>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let upkeep = shown.handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        let Ok((socket, _)) = listener.accept().await else {
            // Out of descriptors, most likely: some are closed by and by.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let shown = shown.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&request, &shown);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_buf_size(16 << 10)
                .serve_connection(TokioIo::new(socket), service);
            let _ = tokio::time::timeout(6 * PATIENCE, connection).await;
            drop(permit);
        });
    }
}

fn answer(request: &Request<Incoming>, shown: &Shown) -> Response<Full<Bytes>> {
    let known = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, kind, text) = match request.uri().path() {
        _ if !known => (
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "GET it\n".into(),
        ),
        "/metrics" => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            (StatusCode::OK, kind, shown.handle.render())
        }
        "/healthz" => (StatusCode::OK, "text/plain", "ok\n".into()),
        "/" => {
            let standing = *shown
                .standing
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            (
                StatusCode::OK,
                "text/html; charset=utf-8",
                page::page(&standing),
            )
        }
        _ => {
            let text = "there are /, /metrics and /healthz\n".to_owned();
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
