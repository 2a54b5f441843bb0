//! A driver of the core over `std::net`: blocking HTTP/1.1, one request at a time, no threads, no async.
//!
//! docs/driver.md lists the duties of a driver; the numbers in the comments are those of the list.
//! Missing for a real client: TLS, keep-alive, request bodies, a name lookup that can be interrupted.
//!
//! `cargo run --example blocking` fetches from a test site that it starts itself;
//! `cargo run --example blocking -- http://example.com/ …` fetches these URLs.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant, SystemTime};

use fetch_all::driver::parse_retry_after;
use fetch_all::driver::url::Position;
use fetch_all::proto::{Attempt, AttemptPhase, Engine, EngineConfig, EngineOutput, FailureKind};
use fetch_all::proto::{FetchRequest, HeadSummary, Input, Timestamp};
use fetch_testbed::Site;
use httparse::Status;

/// The request in flight.
struct Exchange {
    attempt: Attempt,
    body: Vec<u8>,
    /// `None` before the head.
    framing: Option<Framing>,
    /// Bytes that were read and not used yet.
    received: Vec<u8>,
    /// `None` before the connection is open.
    stream: Option<TcpStream>,
}

/// How the end of a body is found.
enum Framing {
    Chunked,
    Length(usize),
    UntilClose,
}

type Step = Result<Vec<Input>, FailureKind>;

impl Exchange {
    fn new(attempt: Attempt) -> Self {
        let (body, received) = (Vec::new(), Vec::new());
        let (framing, stream) = (None, None);
        Self {
            attempt,
            body,
            framing,
            received,
            stream,
        }
    }

    /// Does the next step, which blocks for at most `limit`, and returns what happened.
    fn advance(&mut self, now: impl Fn() -> Timestamp, limit: Duration) -> Step {
        if self.stream.is_none() {
            return self.connect(now, limit);
        }
        let parsed = match self.framing {
            None => self.parse_head()?,
            Some(_) => self.parse_body()?,
        };
        parsed.map_or_else(|| self.read(limit), Ok)
    }

    fn connect(&mut self, now: impl Fn() -> Timestamp, limit: Duration) -> Step {
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
            Err(error) if is_timeout(&error) => return Ok(Vec::new()), // 9
            Err(_) => return Err(FailureKind::Connect),
        };
        let (connected, method) = (now(), self.attempt.method.as_str());
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
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

    fn read(&mut self, limit: Duration) -> Step {
        let Some(stream) = &mut self.stream else {
            return Ok(Vec::new());
        };
        let mut buffer = [0; 16 * 1024];
        let _ = stream.set_read_timeout(Some(limit));
        match stream.read(&mut buffer) {
            Ok(0) => match self.framing {
                Some(Framing::UntilClose) => Ok(vec![Input::End(Ok(()))]),
                None if self.received.is_empty() => Err(FailureKind::EmptyReply), // 11
                _ => Err(FailureKind::Io),
            },
            Ok(length) => {
                self.received.extend_from_slice(&buffer[..length]);
                Ok(Vec::new())
            }
            Err(error) if is_timeout(&error) => Ok(Vec::new()), // 9: the engine has the time limits
            Err(_) => Err(FailureKind::Io),
        }
    }

    /// Takes a head out of the bytes received; `None` if more must be read first.
    fn parse_head(&mut self) -> Result<Option<Vec<Input>>, FailureKind> {
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut head = httparse::Response::new(&mut fields);
        let parsed = head.parse(&self.received);
        let Status::Complete(size) = parsed.map_err(|_| FailureKind::Protocol)? else {
            return Ok(None);
        };
        let field = |name: &str| {
            let mut fields = head.headers.iter();
            let field = fields.find(|field| field.name.eq_ignore_ascii_case(name));
            field.and_then(|field| std::str::from_utf8(field.value).ok())
        };
        let status = head.code.unwrap_or_default();
        let length = field("content-length")
            .map(|text| text.trim().parse())
            .transpose();
        let has_body = !matches!(status, 204 | 304) && self.attempt.method.as_str() != "HEAD";
        let framing = match length.map_err(|_| FailureKind::Protocol)? {
            _ if !has_body => Framing::Length(0),
            _ if field("transfer-encoding").is_some() => Framing::Chunked,
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        };
        let wait = field("retry-after").and_then(|text| parse_retry_after(text, SystemTime::now()));
        let summary = HeadSummary::status(status) // 12
            .location(field("location").map(Into::into))
            .retry_after(wait);
        self.received.drain(..size);
        if (100..200).contains(&status) {
            return Ok(Some(Vec::new())); // 5: an interim response, the final one follows
        }
        self.framing = Some(framing);
        Ok(Some(vec![Input::Head(summary)]))
    }

    /// Takes a piece of the body out of the bytes received; `None` if more must be read first.
    fn parse_body(&mut self) -> Result<Option<Vec<Input>>, FailureKind> {
        let available = self.received.len();
        let (start, size, line_end) = match &mut self.framing {
            Some(Framing::Length(0)) => return Ok(Some(vec![Input::End(Ok(()))])),
            Some(Framing::Length(left)) => {
                let size = available.min(*left);
                *left -= size;
                (0, size, 0)
            }
            Some(Framing::Chunked) => match httparse::parse_chunk_size(&self.received) {
                Ok(Status::Complete((_, 0))) => return Ok(Some(vec![Input::End(Ok(()))])),
                Ok(Status::Complete((_, size))) if size > self.attempt.max_body => {
                    return Err(FailureKind::BodyTooLarge); // 13
                }
                Ok(Status::Complete((start, size))) if available >= start + size as usize + 2 => {
                    (start, size as usize, 2)
                }
                Ok(_) => return Ok(None),
                Err(_) => return Err(FailureKind::Protocol),
            },
            _ => (0, available, 0),
        };
        self.body
            .extend_from_slice(&self.received[start..start + size]);
        self.received.drain(..start + size + line_end);
        Ok((size > 0).then(|| vec![Input::Body { bytes: size as u64 }]))
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = Site::start()?;
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
            EngineOutput::Start(attempt) => exchange = Some(Exchange::new(attempt)), // 4
            EngineOutput::Accept(_) | EngineOutput::Discard(_) => {} // 6: both bodies are read
            EngineOutput::Abort(id) => {
                exchange.take_if(|exchange| exchange.attempt.id == id); // 7
            }
            EngineOutput::Done(_, outcome) => {
                let (url, size) = (&outcome.url, body.len()); // 8
                match outcome.result {
                    Ok(response) => println!("{} {url}: {size} bytes", response.status),
                    Err(error) => println!("{url}: {error}"),
                }
            }
            EngineOutput::Event(_, event) => println!("{event}"),
            EngineOutput::Transfer { .. } => unreachable!("there is one engine"),
            EngineOutput::Idle(idle) => {
                let next: Vec<String> = urls.by_ref().take(idle.room).collect(); // 3
                if !next.is_empty() {
                    for url in next {
                        engine.submit(FetchRequest::get(url.parse()?), now())?;
                    }
                    continue;
                }
                if idle.live == 0 {
                    return Ok(());
                }
                let wake = idle.wake.map(|wake| wake.at.saturating_since(now())); // 2
                let limit = wake.unwrap_or(Duration::MAX);
                let limit = limit.clamp(Duration::from_millis(1), Duration::from_secs(60));
                let Some(current) = &mut exchange else {
                    std::thread::sleep(limit);
                    continue;
                };
                let id = current.attempt.id;
                let step = current.advance(now, limit);
                for input in step.unwrap_or_else(|failure| vec![Input::End(Err(failure))]) {
                    if matches!(input, Input::End(_)) {
                        body = exchange.take().map(|ended| ended.body).unwrap_or_default(); // 5
                    }
                    engine.handle(id, input, now());
                }
            }
        }
    }
}
