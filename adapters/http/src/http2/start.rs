//! A new shared connection, from a stream on which HTTP/2 was agreed.

use std::net::SocketAddr;
use std::sync::Arc;

use fetch_driver::{Failure, TransportError};
use futures_io::{AsyncRead, AsyncWrite};
use http::uri::Authority;
use hyper::client::conn::http2::Builder;

use super::lease::Lease;
use super::link::{Link, Pulse};
use super::task::{FIRST_STREAMS, Spawner, Task};
use crate::connections::Ticket;
use crate::error::told;
use crate::hyper_io::HyperIo;
use crate::origin::{Origin, Serves};
use crate::pool::Pool;
use crate::runtime::Runtime;

/// How much of one response may wait here unread: as much as a fast line brings in 10 ms.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// How much of all responses on one connection may wait here unread.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// For how many cancelled requests frames on their way here are still expected at once.
const CANCELLED: usize = 1024;

/// Starts HTTP/2 on `stream`, shares the connection, and takes its first place.
pub(super) async fn start<S, R>(
    runtime: &R,
    stream: S,
    origin: Arc<Origin>,
    remote: Option<SocketAddr>,
    (pool, ticket): (&Arc<Pool>, Ticket),
    max_head: usize,
) -> Result<Lease, TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Runtime,
{
    let authority = match origin.serves() {
        Serves::Server(host) => Authority::try_from(host.as_bytes()),
        Serves::Proxy(_) => unreachable!("nobody offers HTTP/2 to a proxy"),
    };
    let authority = authority.map_err(|e| TransportError::new(Failure::Unsupported, e))?;
    let (number, freed) = pool.groups.prepare(&origin);
    let pulse = Arc::new(Pulse::new(origin, number, freed));
    let spawner = Spawner::new(runtime.clone());
    let io = HyperIo::new(stream, pulse.clone());
    let handshake = Builder::new(spawner.clone())
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(FIRST_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_concurrent_reset_streams(CANCELLED)
        .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
        .handshake(io);
    let (sender, connection) = handshake
        .await
        .map_err(|error| told(Failure::Io, "starting HTTP/2", error))?;
    let task = Task::new(connection, &spawner, pool, pulse.clone());
    let link = Arc::new(Link {
        authority,
        pulse,
        remote,
        sender,
        ticket,
    });
    let lease = pool.groups.adopt(link);
    runtime.spawn(task);
    Ok(lease)
}
