//! A server that floods its clients.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::scripted_http2::{frame, read_frame};
use crate::server::worker::WorkerThread;

/// The least bytes of one write.
const WRITE: usize = 32 * 1024;

/// What a [`FloodServer`] sends without an end, as fast as the client reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flood {
    /// Blocks of brotli that decode to nothing.
    BrotliMetadata,
    /// Chunks with an extension of 100 bytes.
    ChunkExtensions,
    /// Chunks of one byte.
    ChunksOfOneByte,
    /// Blocks of gzip that decode to nothing, of ten bits each.
    GzipBlocks,
    /// Complete gzip members of no bytes.
    GzipMembers,
    /// HTTP/2: CONTINUATION frames of no bytes.
    Http2Continuation,
    /// HTTP/2: DATA frames of no bytes.
    Http2EmptyData,
    /// HTTP/2: informational responses (103).
    Http2Informational,
    /// HTTP/2: PING frames.
    Http2Ping,
    /// HTTP/2: PRIORITY frames.
    Http2Priority,
    /// HTTP/2: SETTINGS frames of no settings.
    Http2Settings,
    /// HTTP/2: WINDOW_UPDATE frames.
    Http2WindowUpdate,
    /// Informational responses (103).
    Informational,
    /// Trailer fields.
    Trailers,
    /// Frames of zstd that decoders skip, of 4,000 bytes.
    ZstdSkippable,
}

impl Flood {
    /// All kinds.
    pub const ALL: &[Self] = &[
        Self::BrotliMetadata,
        Self::ChunkExtensions,
        Self::ChunksOfOneByte,
        Self::GzipBlocks,
        Self::GzipMembers,
        Self::Http2Continuation,
        Self::Http2EmptyData,
        Self::Http2Informational,
        Self::Http2Ping,
        Self::Http2Priority,
        Self::Http2Settings,
        Self::Http2WindowUpdate,
        Self::Informational,
        Self::Trailers,
        Self::ZstdSkippable,
    ];

    /// Whether the server speaks HTTP/2, without TLS, and only that.
    ///
    /// ```
    /// assert!(fetch_testbed::Flood::Http2Ping.is_http2());
    /// ```
    pub fn is_http2(self) -> bool {
        matches!(
            self,
            Self::Http2Continuation
                | Self::Http2EmptyData
                | Self::Http2Informational
                | Self::Http2Ping
                | Self::Http2Priority
                | Self::Http2Settings
                | Self::Http2WindowUpdate
        )
    }

    /// What is sent once, and what is repeated after it. Over HTTP/2, SETTINGS precedes both.
    ///
    /// ```
    /// let (start, repeated) = fetch_testbed::Flood::ChunksOfOneByte.bytes();
    /// assert!(start.starts_with(b"HTTP/1.1 200 OK\r\n"));
    /// assert_eq!(repeated, b"1\r\na\r\n");
    /// ```
    pub fn bytes(self) -> (Vec<u8>, Vec<u8>) {
        let ok = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes();
        let chunked = || ok("Transfer-Encoding: chunked\r\n");
        let coded = |name: &str, start: &[u8]| {
            let head = ok(&format!(
                "Content-Encoding: {name}\r\nConnection: close\r\n"
            ));
            [&head, start].concat()
        };
        let gzip_start = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        let early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        let extension = format!("1;{}\r\na\r\n", "x".repeat(100)).into_bytes();
        let head = |flags| frame(1, flags, 1, &[0x88]);
        match self {
            Self::BrotliMetadata => (coded("br", &[0x0c]), vec![0x06]),
            Self::ChunkExtensions => (chunked(), extension),
            Self::ChunksOfOneByte => (chunked(), b"1\r\na\r\n".to_vec()),
            Self::GzipBlocks => (coded("gzip", &gzip_start), vec![2, 8, 32, 128, 0]),
            Self::GzipMembers => {
                let member = [&gzip_start[..], &[3, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
                (coded("gzip", &[]), member)
            }
            Self::Http2Continuation => (head(0), frame(9, 0, 1, &[])),
            Self::Http2EmptyData => (head(4), frame(0, 0, 1, &[])),
            Self::Http2Informational => (Vec::new(), frame(1, 4, 1, &[8, 3, b'1', b'0', b'3'])),
            Self::Http2Ping => (Vec::new(), frame(6, 0, 0, &[0; 8])),
            Self::Http2Priority => (Vec::new(), frame(2, 0, 1, &[0, 0, 0, 0, 16])),
            Self::Http2Settings => (Vec::new(), frame(4, 0, 0, &[])),
            Self::Http2WindowUpdate => (Vec::new(), frame(8, 0, 0, &[0, 0, 0, 1])),
            Self::Informational => (Vec::new(), early.to_vec()),
            Self::Trailers => {
                let start = [&chunked()[..], b"1\r\na\r\n0\r\n"].concat();
                (start, b"X-Trailer: 0123456789\r\n".to_vec())
            }
            Self::ZstdSkippable => {
                let length = 4_000_u32.to_le_bytes();
                let skippable = [&[0x50, 0x2a, 0x4d, 0x18], &length[..], &[0; 4_000]].concat();
                (coded("zstd", &[]), skippable)
            }
        }
    }
}

/// A server that answers the first request of each connection with a [`Flood`].
///
/// ```
/// use fetch_testbed::{Flood, FloodServer};
///
/// let server = FloodServer::start(Flood::ChunksOfOneByte)?;
/// assert!(server.url("/").starts_with("http://127.0.0.1:"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FloodServer {
    address: SocketAddr,
    counts: Arc<FloodCounts>,
    _worker: WorkerThread,
}

#[derive(Debug, Default)]
struct FloodCounts {
    connections: AtomicUsize,
    sent: AtomicU64,
}

impl FloodServer {
    /// Starts a server on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Any error of the system when a port is bound or a thread is started.
    ///
    /// ```
    /// # use fetch_testbed::{Flood, FloodServer};
    /// let server = FloodServer::start(Flood::Http2Ping)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start(flood: Flood) -> io::Result<Self> {
        let worker = WorkerThread::start()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let counts = Arc::<FloodCounts>::default();
        let shared = counts.clone();
        worker.handle().spawn(async move {
            let Ok(listener) = TcpListener::from_std(listener) else {
                return;
            };
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Relaxed);
                // An error means that the client has closed the connection.
                let counts = shared.clone();
                tokio::spawn(async move { serve(stream, flood, &counts).await });
            }
        });
        Ok(Self {
            address,
            counts,
            _worker: worker,
        })
    }

    /// Returns the number of accepted connections.
    ///
    /// ```
    /// # use fetch_testbed::{Flood, FloodServer};
    /// assert_eq!(FloodServer::start(Flood::Trailers)?.connections(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Relaxed)
    }

    /// Returns the number of bytes sent, which includes what is on its way to the clients.
    ///
    /// ```
    /// # use fetch_testbed::{Flood, FloodServer};
    /// assert_eq!(FloodServer::start(Flood::Trailers)?.sent_bytes(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn sent_bytes(&self) -> u64 {
        self.counts.sent.load(Relaxed)
    }

    /// Returns the URL of a path.
    ///
    /// ```
    /// # use fetch_testbed::{Flood, FloodServer};
    /// assert!(FloodServer::start(Flood::Trailers)?.url("/a").ends_with("/a"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn serve(mut stream: TcpStream, flood: Flood, counts: &FloodCounts) -> io::Result<()> {
    if flood.is_http2() {
        stream.read_exact(&mut [0; 24]).await?;
        stream.write_all(&frame(4, 0, 0, &[])).await?;
        // Up to the first HEADERS.
        while read_frame(&mut stream).await?.0 != 1 {}
    } else {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
    }
    let (mut reader, mut writer) = stream.into_split();
    // Its answers are read, so that the client is never held up by them.
    let drained = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while reader.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
    });
    let (start, repeated) = flood.bytes();
    let block = repeated.repeat(WRITE.div_ceil(repeated.len()));
    writer.write_all(&start).await?;
    while !drained.is_finished() {
        writer.write_all(&block).await?;
        counts.sent.fetch_add(block.len() as u64, Relaxed);
    }
    Ok(())
}
