//! An HTTP/2 server that refuses streams and sends GOAWAY by a script.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::server::worker::WorkerThread;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM_END_HEADERS: u8 = 5;
const REFUSED_STREAM: u32 = 7;
/// Delayed requests are answered when this many are waiting, or after this time without a frame.
const MAX_DELAYED: usize = 4;
const MAX_DELAY: Duration = Duration::from_millis(20);

/// Reply of a [`ScriptedHttp2`] to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScriptedReply {
    /// Status 200 without a body.
    Respond,
    /// None. The next [`ScriptedReply::GoAway`] reports it as not processed, if no later one was processed.
    Ignore,
    /// GOAWAY: this request and all later ones are not processed. Earlier ones are answered.
    GoAway,
    /// Status 200, but not before GOAWAY was sent, four requests are waiting, or no more frames arrive.
    Delay,
    /// RST_STREAM with `REFUSED_STREAM`: the request was not processed.
    Refuse,
}

/// An HTTP/2 server without TLS, for clients with prior knowledge, that replies by a script. It ignores
/// request bodies.
///
/// ```
/// use fetch_testbed::{ScriptedReply, ScriptedHttp2};
///
/// let server = ScriptedHttp2::start(100, |_connection, request| match request {
///     0 => ScriptedReply::Refuse,
///     _ => ScriptedReply::Respond,
/// })?;
/// assert!(server.url("/").starts_with("http://127.0.0.1:"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ScriptedHttp2 {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _worker: WorkerThread,
}

impl ScriptedHttp2 {
    /// Starts a server with up to `streams` concurrent requests per connection. `script` gets the number of
    /// the connection and of the request on it, both from 0, and returns the reply.
    ///
    /// # Errors
    /// Any error of the system when a port is bound or a thread is started.
    ///
    /// ```
    /// # use fetch_testbed::{ScriptedReply, ScriptedHttp2};
    /// let server = ScriptedHttp2::start(1, |_, _| ScriptedReply::Respond)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start(
        streams: u32,
        script: impl Fn(usize, usize) -> ScriptedReply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let worker = WorkerThread::start()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let connections = Arc::<AtomicUsize>::default();
        let (script, count) = (Arc::new(script), connections.clone());
        worker.handle().spawn(async move {
            let Ok(listener) = TcpListener::from_std(listener) else {
                return;
            };
            while let Ok((stream, _)) = listener.accept().await {
                let (script, number) = (script.clone(), count.fetch_add(1, SeqCst));
                // An error means that the client has closed the connection.
                tokio::spawn(async move {
                    serve(stream, streams, |request| script(number, request)).await
                });
            }
        });
        Ok(Self {
            address,
            connections,
            _worker: worker,
        })
    }

    /// Returns the number of accepted connections.
    ///
    /// ```
    /// # use fetch_testbed::{ScriptedReply, ScriptedHttp2};
    /// assert_eq!(ScriptedHttp2::start(1, |_, _| ScriptedReply::Respond)?.connections(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// Returns the URL of a path.
    ///
    /// ```
    /// # use fetch_testbed::{ScriptedReply, ScriptedHttp2};
    /// assert!(ScriptedHttp2::start(1, |_, _| ScriptedReply::Respond)?.url("/a").ends_with("/a"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn serve(
    mut stream: TcpStream,
    streams: u32,
    script: impl Fn(usize) -> ScriptedReply,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.read_exact(&mut [0; 24]).await?;
    let max_concurrent_streams = [&[0, 3][..], &streams.to_be_bytes()].concat();
    write_frame(&mut stream, SETTINGS, 0, 0, &max_concurrent_streams).await?;
    let (mut number, mut last, mut going_away) = (0, 0, false);
    let mut delayed = Vec::new();
    loop {
        // `peek`, because `readable` can resolve on a socket without data.
        let more = tokio::time::timeout(MAX_DELAY, stream.peek(&mut [0])).await;
        if more.is_err() || going_away || delayed.len() >= MAX_DELAYED {
            for id in delayed.drain(..) {
                write_response(&mut stream, id).await?;
            }
        }
        let (kind, flags, id, payload) = read_frame(&mut stream).await?;
        match kind {
            SETTINGS if flags & ACK == 0 => write_frame(&mut stream, SETTINGS, ACK, 0, &[]).await?,
            PING if flags & ACK == 0 => write_frame(&mut stream, PING, ACK, 0, &payload).await?,
            HEADERS if !going_away => {
                match script(number) {
                    ScriptedReply::Respond => {
                        write_response(&mut stream, id).await?;
                        last = id;
                    }
                    ScriptedReply::Ignore => {}
                    ScriptedReply::Delay => {
                        delayed.push(id);
                        last = id;
                    }
                    ScriptedReply::Refuse => {
                        let code = REFUSED_STREAM.to_be_bytes();
                        write_frame(&mut stream, RST_STREAM, 0, id, &code).await?;
                        last = id;
                    }
                    ScriptedReply::GoAway => {
                        going_away = true;
                        let payload = [u32::to_be_bytes(last), [0; 4]].concat();
                        write_frame(&mut stream, GOAWAY, 0, 0, &payload).await?;
                    }
                }
                number += 1;
            }
            _ => {}
        }
    }
}

/// The kind, flags, stream and payload of the next frame.
pub(crate) async fn read_frame(stream: &mut TcpStream) -> io::Result<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await?;
    Ok((head[3], head[4], id, payload))
}

async fn write_response(stream: &mut TcpStream, id: u32) -> io::Result<()> {
    // `:status: 200`, from HPACK's static table.
    write_frame(stream, HEADERS, END_STREAM_END_HEADERS, id, &[0x88]).await
}

async fn write_frame(
    stream: &mut TcpStream,
    kind: u8,
    flags: u8,
    id: u32,
    payload: &[u8],
) -> io::Result<()> {
    stream.write_all(&frame(kind, flags, id, payload)).await
}

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [&length[1..], &[kind, flags], &id.to_be_bytes()].concat();
    [&head, payload].concat()
}
