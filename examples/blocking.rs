//! A driver of the core over `std::net`: HTTP/1.0, one request at a time, no threads, no async.
//!
//! docs/driver.md lists the duties of a driver; the numbers in the comments are those of the list.
//! `cargo run --example blocking [-- URL…]` fetches from a test site that it starts itself, or these URLs.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant, SystemTime};

use fetch_all::driver::parse_retry_after;
use fetch_all::driver::url::Position;
use fetch_all::proto::{Attempt, AttemptPhase, Engine, EngineConfig, EngineOutput, FailureKind};
use fetch_all::proto::{FetchRequest, HeadSummary, Input, Timestamp};

/// The request in flight.
struct Exchange {
    attempt: Attempt,
    /// The size that the body must have; `None` before the head, `Some(None)` if the head has none.
    length: Option<Option<usize>>,
    received: Vec<u8>,
    stream: Option<TcpStream>,
}

impl Exchange {
    /// Does the next step, which blocks for at most `limit`, and returns what happened.
    fn advance(
        &mut self,
        now: impl Fn() -> Timestamp,
        limit: Duration,
    ) -> Result<Vec<Input>, FailureKind> {
        let Some(stream) = &mut self.stream else {
            return self.connect(now, limit);
        };
        let mut buffer = [0; 16 * 1024];
        let _ = stream.set_read_timeout(Some(limit));
        match stream.read(&mut buffer) {
            Ok(0) => match self.length {
                Some(length) if length.is_none_or(|length| length == self.received.len()) => {
                    Ok(vec![Input::End(Ok(()))])
                }
                None if self.received.is_empty() => Err(FailureKind::EmptyReply), // 11
                _ => Err(FailureKind::Io),
            },
            Ok(size) => {
                self.received.extend_from_slice(&buffer[..size]);
                if self.length.is_none() {
                    return self.parse_head();
                }
                Ok(vec![Input::Body { bytes: size as u64 }]) // 13: the engine has the size limit
            }
            // 9: the engine has the time limits
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                Ok(Vec::new())
            }
            Err(_) => Err(FailureKind::Io),
        }
    }

    fn connect(
        &mut self,
        now: impl Fn() -> Timestamp,
        limit: Duration,
    ) -> Result<Vec<Input>, FailureKind> {
        let url = &self.attempt.url;
        if url.scheme() != "http" {
            return Err(FailureKind::Unsupported);
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let addresses = (host, url.port_or_known_default().unwrap_or(80)).to_socket_addrs();
        let address = addresses.ok().and_then(|mut all| all.next());
        let (address, resolved) = (address.ok_or(FailureKind::Resolve)?, now());
        let mut stream = match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => stream,
            Err(error) if error.kind() == ErrorKind::TimedOut => return Ok(Vec::new()), // 9
            Err(_) => return Err(FailureKind::Connect),
        };
        let (connected, method) = (now(), self.attempt.method.as_str());
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let head = format!("{method} {target} HTTP/1.0\r\nHost: {host}\r\n\r\n");
        stream
            .write_all(head.as_bytes())
            .map_err(|_| FailureKind::Io)?;
        self.stream = Some(stream);
        let phases = [
            (AttemptPhase::Resolved, resolved), // 10
            (AttemptPhase::Connected, connected),
            (AttemptPhase::Sent, now()),
        ];
        Ok(phases.map(|(phase, at)| Input::Mark(phase, at)).into())
    }

    /// Takes the head out of the bytes received, if it is complete.
    fn parse_head(&mut self) -> Result<Vec<Input>, FailureKind> {
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut head = httparse::Response::new(&mut fields);
        let parsed = head
            .parse(&self.received)
            .map_err(|_| FailureKind::Protocol)?;
        let httparse::Status::Complete(size) = parsed else {
            return Ok(Vec::new());
        };
        let field = |name: &str| {
            let field = head
                .headers
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case(name));
            field.and_then(|field| std::str::from_utf8(field.value).ok())
        };
        let wait = field("retry-after").and_then(|text| parse_retry_after(text, SystemTime::now()));
        let summary = HeadSummary::status(head.code.unwrap_or_default()) // 12
            .location(field("location").map(Into::into))
            .retry_after(wait);
        let length = field("content-length").map(str::parse).transpose();
        self.length = Some(length.map_err(|_| FailureKind::Protocol)?);
        self.received.drain(..size);
        let bytes = self.received.len() as u64;
        Ok(vec![Input::Head(summary), Input::Body { bytes }])
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = fetch_testbed::Site::start()?;
    let mut urls: Vec<String> = std::env::args().skip(1).collect();
    if urls.is_empty() {
        let paths = [
            "/get",
            "/status/404",
            "/flaky/1?key=example",
            "/redirect/2",
            "/reset",
        ];
        urls = paths.map(|path| site.url(path)).into();
    }
    let mut urls = urls.into_iter();
    let start = Instant::now();
    let now = || Timestamp::from_start(start.elapsed()); // 1
    let mut engine = Engine::new(EngineConfig::default().concurrency(1), 7, now());
    let mut exchange: Option<Exchange> = None;
    let mut body = Vec::new();
    loop {
        match engine.poll(now()) {
            EngineOutput::Start(attempt) => {
                let (length, received, stream) = (None, Vec::new(), None);
                exchange = Some(Exchange {
                    attempt,
                    length,
                    received,
                    stream,
                }); // 4
            }
            EngineOutput::Accept(_) | EngineOutput::Discard(_) => {} // 6: both bodies are read
            EngineOutput::Abort(id) => {
                exchange.take_if(|exchange| exchange.attempt.id == id); // 7
            }
            EngineOutput::Done(_, outcome) => match outcome.result {
                Ok(response) => {
                    println!("{} {}: {} bytes", response.status, outcome.url, body.len());
                } // 8
                Err(error) => println!("{}: {error}", outcome.url),
            },
            EngineOutput::Event(_, event) => println!("{event}"),
            EngineOutput::Transfer { .. } => unreachable!("there is one engine"),
            EngineOutput::Idle(idle) => {
                let next: Vec<String> = urls.by_ref().take(idle.room).collect(); // 3
                if next.is_empty() && idle.live == 0 {
                    return Ok(());
                }
                let must_poll = !next.is_empty();
                for url in next {
                    engine.submit(FetchRequest::get(url.parse()?), now())?;
                }
                if must_poll {
                    continue;
                }
                let limit = idle
                    .wake
                    .map_or(Duration::MAX, |wake| wake.at.saturating_since(now())); // 2
                let limit = limit.clamp(Duration::from_millis(1), Duration::from_secs(60));
                let Some(current) = &mut exchange else {
                    std::thread::sleep(limit);
                    continue;
                };
                let id = current.attempt.id;
                let step = current.advance(now, limit);
                for input in step.unwrap_or_else(|failure| vec![Input::End(Err(failure))]) {
                    if matches!(input, Input::End(_)) {
                        body = exchange
                            .take()
                            .map(|ended| ended.received)
                            .unwrap_or_default(); // 5
                    }
                    engine.handle(id, input, now());
                }
            }
        }
    }
}
