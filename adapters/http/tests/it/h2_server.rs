//! An HTTP/2 server without TLS, scripted by the test.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use h2::Reason;
use h2::server::SendResponse;
use tokio::net::TcpStream;

use crate::raw::tokio_listener;

/// What the server does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum H2Action {
    /// Answers after this time.
    Answer(Duration),
    /// Closes the connection at once.
    Close,
    /// Closes the connection with this error.
    GoAway(Reason),
    /// Resets this request.
    Reset(Reason),
}

pub(crate) struct H2Server {
    addr: SocketAddr,
    counts: Arc<ServerCounts>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct ServerCounts {
    connections: AtomicUsize,
    in_flight: AtomicUsize,
    max_in_flight: AtomicUsize,
}

impl H2Server {
    /// Allows `streams` concurrent requests per connection. `act` gets the numbers of the connection
    /// and of the request, both from 0.
    pub(crate) fn start(
        streams: u32,
        act: impl Fn(usize, usize) -> H2Action + Send + Sync + 'static,
    ) -> Self {
        let (runtime, listener, addr) = tokio_listener();
        let (counts, act) = (Arc::<ServerCounts>::default(), Arc::new(act));
        let shared = counts.clone();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let number = shared.connections.fetch_add(1, SeqCst);
                let (act, counts) = (act.clone(), shared.clone());
                tokio::spawn(async move {
                    let act = move |request| act(number, request);
                    serve(socket, streams, act, counts).await;
                });
            }
        });
        Self {
            addr,
            counts,
            _runtime: runtime,
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(SeqCst)
    }

    pub(crate) fn max_in_flight(&self) -> usize {
        self.counts.max_in_flight.load(SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }
}

async fn serve(
    socket: TcpStream,
    streams: u32,
    act: impl Fn(usize) -> H2Action,
    counts: Arc<ServerCounts>,
) {
    let _ = socket.set_nodelay(true);
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(streams);
    let Ok(mut connection) = builder.handshake::<_, bytes::Bytes>(socket).await else {
        return;
    };
    let mut number = 0;
    while let Some(Ok((_request, mut respond))) = connection.accept().await {
        match act(number) {
            H2Action::Answer(after) => {
                let counts = counts.clone();
                tokio::spawn(answer(respond, after, counts));
            }
            H2Action::Close => return,
            H2Action::GoAway(reason) => connection.abrupt_shutdown(reason),
            H2Action::Reset(reason) => respond.send_reset(reason),
        }
        number += 1;
    }
    let _ = poll_fn(|cx| connection.poll_closed(cx)).await;
}

async fn answer(
    mut respond: SendResponse<bytes::Bytes>,
    after: Duration,
    counts: Arc<ServerCounts>,
) {
    let now = counts.in_flight.fetch_add(1, SeqCst) + 1;
    counts.max_in_flight.fetch_max(now, SeqCst);
    if !after.is_zero() {
        tokio::time::sleep(after).await;
    }
    counts.in_flight.fetch_sub(1, SeqCst);
    let _ = respond.send_response(http::Response::new(()), true);
}
