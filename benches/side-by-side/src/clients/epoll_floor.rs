//! The lower bound: the cost of the sockets alone. One thread and one edge-triggered epoll send a
//! prepared request and parse only status, content-length and the end of the head of each response.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use url::Url;

use super::ResponseTally;
use crate::cases::case::{BenchmarkCase, FAILS_ONE_IN};
use crate::environment::ports::SitePorts;

const BUFFER: usize = 64 * 1024;

/// One keep-alive connection.
struct EpollConnection {
    socket: TcpStream,
    /// The part of the head received so far.
    head: Vec<u8>,
    /// Status and body length of the current response, once its head is complete.
    response: Option<(u16, usize)>,
    /// Body bytes received so far.
    received: usize,
}

pub(super) fn run(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    // The first few URLs of a case include every URL that occurs in it.
    let urls = case.urls(ports).take(FAILS_ONE_IN);
    let urls: Vec<_> = urls.map(|url| Url::parse(&url)).collect::<Result<_, _>>()?;
    let requests: Vec<_> = urls.iter().map(build_request).collect();
    let request = |number: usize| &*requests[number % requests.len()];
    let url = &urls[0];
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let mut connections = Vec::with_capacity(case.concurrency);
    let mut started = 0;
    while started < case.concurrency.min(case.requests) {
        let connection = EpollConnection::open(url)?;
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll.add(
            &connection.socket,
            EpollEvent::new(interest, started as u64),
        )?;
        connection.send(request(started))?;
        connections.push(connection);
        started += 1;
    }
    let mut events = vec![EpollEvent::empty(); case.concurrency];
    let mut buffer = vec![0; BUFFER];
    let mut tally = ResponseTally::new(case);
    while tally.responses() < case.requests {
        let count = epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..count] {
            let connection = &mut connections[event.data() as usize];
            while connection.receive(&mut tally, &mut buffer)? {
                if started == case.requests {
                    break;
                }
                connection.send(request(started))?;
                started += 1;
            }
        }
    }
    tally.finish()
}

/// A request with the header fields that fetch-all sends.
fn build_request(url: &Url) -> Vec<u8> {
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let agent = concat!("fetch-all/", env!("CARGO_PKG_VERSION"));
    format!(
        "GET {} HTTP/1.1\r\nuser-agent: {agent}\r\naccept: */*\r\naccept-encoding: gzip, br, zstd\r\nhost: {host}\r\n\r\n",
        url.path()
    )
    .into_bytes()
}

impl EpollConnection {
    fn open(url: &Url) -> Result<Self> {
        let address = url
            .socket_addrs(|| None)?
            .into_iter()
            .next()
            .context("no address")?;
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            head: Vec::new(),
            response: None,
            received: 0,
        })
    }

    /// Sends a request, which always fits into the empty send buffer.
    fn send(&self, request: &[u8]) -> Result<()> {
        let sent = (&self.socket).write(request).context("cannot send")?;
        ensure!(
            sent == request.len(),
            "only {sent} bytes of the request were sent"
        );
        Ok(())
    }

    /// Reads until the response is complete or the socket is empty. Returns whether the response is
    /// complete.
    fn receive(&mut self, tally: &mut ResponseTally<'_>, buffer: &mut [u8]) -> Result<bool> {
        loop {
            let count = match (&self.socket).read(buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error).context("cannot receive"),
            };
            self.process(&buffer[..count])?;
            match self.response {
                Some((status, length)) if self.received >= length => {
                    tally.add(status, self.received)?;
                    (self.response, self.received) = (None, 0);
                    return Ok(true);
                }
                // A short read emptied the socket. epoll reports when there is more.
                _ if count < buffer.len() => return Ok(false),
                _ => {}
            }
        }
    }

    fn process(&mut self, bytes: &[u8]) -> Result<()> {
        if self.response.is_some() {
            self.received += bytes.len();
            return Ok(());
        }
        self.head.extend_from_slice(bytes);
        let Some(end) = self
            .head
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
        else {
            return Ok(());
        };
        self.response = Some(parse_head(&self.head[..end])?);
        self.received = self.head.len() - end - 4;
        self.head.clear();
        Ok(())
    }
}

/// The status and content-length in a head.
fn parse_head(head: &[u8]) -> Result<(u16, usize)> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .context("no status")?;
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let (_, length) = fields
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("a response without content-length")?;
    Ok((status.parse()?, length.trim().parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_length_are_parsed() {
        let head = b"HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Length: 12";
        assert_eq!(parse_head(head).unwrap(), (404, 12));
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked").is_err());
    }
}
