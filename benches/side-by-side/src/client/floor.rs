//! The bound: what the sockets alone cost. One thread, one edge-triggered epoll, a request that was
//! written down beforehand, and of each answer only the end of the head and its content-length.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use url::Url;

use super::Tally;
use crate::case::{Case, FAILS_ONE_IN};
use crate::ports::Ports;

const BUFFER: usize = 64 * 1024;

/// One keep-alive connection.
struct Connection {
    socket: TcpStream,
    /// What has come of the head.
    head: Vec<u8>,
    /// Status and length of the answer whose body is coming.
    answer: Option<(u16, usize)>,
    /// What has come of the body.
    body: usize,
}

pub(super) fn run(case: &Case, base: &Ports) -> Result<()> {
    // As many requests as differ: all that a case has are among the first few.
    let urls = case.urls(base).take(FAILS_ONE_IN);
    let urls: Vec<_> = urls.map(|url| Url::parse(&url)).collect::<Result<_, _>>()?;
    let requests: Vec<_> = urls.iter().map(request).collect();
    let request = |number: usize| &*requests[number % requests.len()];
    let url = &urls[0];
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let mut connections = Vec::with_capacity(case.concurrency);
    let mut started = 0;
    while started < case.concurrency.min(case.requests) {
        let connection = Connection::open(url)?;
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
    let mut tally = Tally::new(case);
    while tally.answers() < case.requests {
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

/// The fields that fetch-all sends.
fn request(url: &Url) -> Vec<u8> {
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let agent = concat!("fetch-all/", env!("CARGO_PKG_VERSION"));
    format!(
        "GET {} HTTP/1.1\r\nuser-agent: {agent}\r\naccept: */*\r\naccept-encoding: gzip, br, zstd\r\nhost: {host}\r\n\r\n",
        url.path()
    )
    .into_bytes()
}

impl Connection {
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
            answer: None,
            body: 0,
        })
    }

    /// A request fits into an empty send buffer, so it is never sent in part.
    fn send(&self, request: &[u8]) -> Result<()> {
        let sent = (&self.socket).write(request).context("cannot send")?;
        ensure!(
            sent == request.len(),
            "only {sent} bytes of the request were sent"
        );
        Ok(())
    }

    /// Reads until the answer is complete, or until there is no more for now. Whether it is
    /// complete.
    fn receive(&mut self, tally: &mut Tally<'_>, buffer: &mut [u8]) -> Result<bool> {
        loop {
            let count = match (&self.socket).read(buffer) {
                Ok(0) => bail!("the site closed a connection"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error).context("cannot receive"),
            };
            self.take(&buffer[..count])?;
            match self.answer {
                Some((status, length)) if self.body >= length => {
                    tally.add(status, self.body)?;
                    (self.answer, self.body) = (None, 0);
                    return Ok(true);
                }
                // Less than there was room for: the socket is empty, and epoll tells when it is not.
                _ if count < buffer.len() => return Ok(false),
                _ => {}
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        if self.answer.is_some() {
            self.body += bytes.len();
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
        self.answer = Some(parse(&self.head[..end])?);
        self.body = self.head.len() - end - 4;
        self.head.clear();
        Ok(())
    }
}

/// Status and content-length.
fn parse(head: &[u8]) -> Result<(u16, usize)> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .context("no status")?;
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let (_, length) = fields
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("an answer without content-length")?;
    Ok((status.parse()?, length.trim().parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_length_are_found_in_a_head() {
        let head = b"HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Length: 12";
        assert_eq!(parse(head).unwrap(), (404, 12));
        assert!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked").is_err());
    }
}
