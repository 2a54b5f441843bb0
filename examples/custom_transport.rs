//! A client of your own under the same driver: limits, retries and redirects are those of any adapter.
//!
//! This client is HTTP/1.0 on the standard library's blocking sockets, one thread of a pool for each
//! request. A test double is shorter still, and a real client maps its errors in the same place.
//!
//! `cargo run --example custom_transport`

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use fetch_all::driver::{
    Adapter, AsyncIoTimer, Builder, Incoming, Marks, Outgoing, RequestBody, Transport,
    TransportError,
};
use fetch_all::smol::{StreamExt, stream};
use fetch_all::{BuildError, Connection, Failure, Settings};
use fetch_testbed::Site;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

struct Blocking;
type Body = stream::Once<Result<Bytes, TransportError>>;
type Answer = Result<Incoming<Body>, TransportError>;

impl Transport for Blocking {
    type Body = Body;

    fn send(&self, request: Outgoing, marks: Marks) -> impl Future<Output = Answer> + Send + use<> {
        // Nobody can interrupt a blocking call: a cancelled one ends at the socket's own limit.
        smol::unblock(move || exchange(&request, &marks))
    }
}

fn exchange(request: &Outgoing, marks: &Marks) -> Answer {
    let failed = |kind| move |error: io::Error| TransportError::new(kind, error);
    let addresses = request.url.socket_addrs(|| None);
    let addresses = addresses.map_err(failed(Failure::Resolve))?;
    let mut socket = TcpStream::connect(&*addresses).map_err(failed(Failure::Connect))?;
    let remote = socket.peer_addr().ok();
    marks.connected(Connection {
        remote,
        reused: false,
    });
    let mut answer = Vec::new();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .and_then(|()| socket.write_all(&serialize(request)?))
        .and_then(|()| socket.read_to_end(&mut answer))
        .map_err(failed(Failure::Io))?;
    parse(&answer).ok_or_else(|| TransportError::new(Failure::Protocol, "this is not HTTP"))
}

fn serialize(request: &Outgoing) -> io::Result<Vec<u8>> {
    let (method, authority) = (&request.method, request.url.authority());
    let target = request
        .url
        .as_str()
        .split_once(authority)
        .map_or("/", |(_, rest)| rest);
    let target = target.split('#').next().unwrap_or("/");
    let body: &[u8] = match &request.body {
        RequestBody::Bytes(bytes) => bytes,
        RequestBody::Empty => &[],
        RequestBody::Stream { .. } => return Err(io::ErrorKind::Unsupported.into()),
    };
    let mut bytes = format!("{method} {target} HTTP/1.0\r\nHost: {authority}\r\n").into_bytes();
    for (name, value) in &request.headers {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    write!(bytes, "Content-Length: {}\r\n\r\n", body.len())?;
    bytes.extend(body);
    Ok(bytes)
}

fn parse(answer: &[u8]) -> Option<Incoming<Body>> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(&answer[..end]).ok()?.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?;
    let fields = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((
            name.parse::<HeaderName>().ok()?,
            value.trim().parse::<HeaderValue>().ok()?,
        ))
    });
    Some(Incoming {
        headers: fields.collect::<HeaderMap>(),
        status: status.parse::<StatusCode>().ok()?,
        version: Version::HTTP_10,
        body: stream::once(Ok(Bytes::copy_from_slice(&answer[end + 4..]))),
    })
}

impl Adapter for Blocking {
    type Transport = Self;
    type Timer = AsyncIoTimer;

    fn transport(&self, _: &Settings) -> Result<Self, BuildError> {
        Ok(Self)
    }

    fn timer(&self) -> AsyncIoTimer {
        AsyncIoTimer::default()
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        smol::spawn(driver).detach();
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = Site::start()?;
    let paths = [
        "/get",
        "/status/404",
        "/flaky/1?key=example",
        "/redirect/2",
        "/reset",
    ];
    let urls = paths.map(|path| site.url(path));

    let fetcher = Builder::new(Blocking).concurrency(10).build()?;
    smol::block_on(
        fetcher
            .fetch_all(urls)
            .for_each(|outcome| println!("{outcome}")),
    );
    Ok(())
}
