//! A new shared connection, on a stream whose ends agreed on HTTP/2.

use std::sync::{Arc, Mutex};

use fetch_driver::{ConnectionInfo, FailureKind, TransportError};
use futures_io::{AsyncRead, AsyncWrite};
use http::uri::Authority;
use hyper::client::conn::http2::Builder;

use super::h2_pool::H2Pool;
use super::handle::{ConnectionObserver, H2Handle, H2Shared};
use super::lease::StreamLease;
use super::origin_state::INITIAL_STREAM_LIMIT;
use super::task::{ConnectionTask, TaskSpawner};
use crate::connect::addresses::AddressTrial;
use crate::error::describe;
use crate::io::hyper::HyperIo;
use crate::io::runtime::HttpRuntime;
use crate::origin::{NextHop, Origin};
use crate::pool::limit::ConnectionPermit;

/// The most unread bytes of one response: what a fast link delivers in 10 ms.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// The most unread bytes of all responses on one connection.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// The most cancelled requests for which late frames are still accepted.
const MAX_RESET_STREAMS: usize = 1024;

/// Starts HTTP/2 on `stream`, adds the connection to `pool`, and takes its first stream.
pub(crate) async fn start<S, R>(
    runtime: &R,
    stream: S,
    origin: Arc<Origin>,
    info: ConnectionInfo,
    trial: Option<Box<AddressTrial>>,
    (pool, permit): (&Arc<H2Pool>, ConnectionPermit),
    max_head: usize,
) -> Result<StreamLease, TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: HttpRuntime,
{
    let authority = match origin.next_hop() {
        NextHop::Server(host) => Authority::try_from(host.as_bytes()),
        NextHop::Proxy(..) => unreachable!("HTTP/2 is not offered to proxies"),
    };
    let authority = authority.map_err(|e| TransportError::new(FailureKind::Unsupported, e))?;
    let (number, events) = pool.prepare_connection(&origin);
    let shared = Arc::new(H2Shared::new(origin, number, events));
    let spawner = TaskSpawner::new(runtime.clone());
    let io = HyperIo::new(stream, ConnectionObserver::new(shared.clone()));
    let handshake = Builder::new(spawner.clone())
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(INITIAL_STREAM_LIMIT)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_concurrent_reset_streams(MAX_RESET_STREAMS)
        .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
        .handshake(io);
    let (sender, connection) = handshake
        .await
        .map_err(|error| describe(FailureKind::Io, "starting HTTP/2", error))?;
    let task = ConnectionTask::new(connection, &spawner, pool, shared.clone());
    let handle = Arc::new(H2Handle {
        authority,
        owner: pool.as_owner(),
        permit,
        info,
        trial: Mutex::new(trial),
        sender,
        shared,
    });
    let lease = pool.add(handle);
    runtime.spawn(task);
    Ok(lease)
}
