//! A driver of the core over `std::net`: blocking HTTP/1.1, one request at a time, no threads, no async.
//!
//! docs/driver.md lists the duties of a driver; the numbers in the comments are those of the list. What is missing
//! for a real client: TLS, keep-alive, request bodies, and a look-up of names that can be interrupted.
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

/// The request in flight.
struct Exchange {
    attempt: Attempt,
    body: Vec<u8>,
    /// How the end of the body is found; `None` before the head.
    framing: Option<Framing>,
    /// Bytes that were read and not used yet.
    received: Vec<u8>,
    /// `None` before the connection is open.
    stream: Option<TcpStream>,
}

enum Framing {
    Chunked,
    Length(usize),
    UntilClose,
}

impl Exchange {
    /// Does the next blocking step, for at most `limit`, and returns what happened.
    fn advance(
        &mut self,
        now: impl Fn() -> Timestamp,
        limit: Duration,
    ) -> Result<Vec<Input>, FailureKind> {
        let Some(stream) = &mut self.stream else {
            return self.connect(now, limit);
        };
        if let Some(inputs) = parse(
            &mut self.framing,
            &mut self.received,
            &mut self.body,
            &self.attempt,
        )? {
            return Ok(inputs);
        }
        let mut buffer = [0; 16 * 1024];
        stream
            .set_read_timeout(Some(limit))
            .map_err(|_| FailureKind::Io)?;
        match stream.read(&mut buffer) {
            Ok(0) if matches!(self.framing, Some(Framing::UntilClose)) => {
                Ok(vec![Input::End(Ok(()))])
            }
            Ok(0) if self.framing.is_none() && self.received.is_empty() => {
                Err(FailureKind::EmptyReply)
            }
            Ok(0) => Err(FailureKind::Io),
            Ok(length) => {
                self.received.extend_from_slice(&buffer[..length]);
                Ok(Vec::new())
            }
            Err(error) if is_timeout(&error) => Ok(Vec::new()), // 9: the engine decides what that means
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
        let (host, port) = (
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or(80),
        );
        let addresses = (host.trim_matches(['[', ']']), port).to_socket_addrs();
        let address = addresses
            .ok()
            .and_then(|mut all| all.next())
            .ok_or(FailureKind::Resolve)?;
        let resolved = now();
        let mut stream = match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => stream,
            Err(error) if is_timeout(&error) => return Ok(Vec::new()),
            Err(_) => return Err(FailureKind::Connect),
        };
        let connected = now();
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let method = self.attempt.method.as_str();
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream
            .write_all(head.as_bytes())
            .map_err(|_| FailureKind::Io)?;
        self.stream = Some(stream);
        Ok(vec![
            Input::Mark(AttemptPhase::Resolved, resolved),
            Input::Mark(AttemptPhase::Connected, connected),
            Input::Mark(AttemptPhase::Sent, now()),
        ])
    }
}

/// Takes the next head or piece of the body out of `received`; `None` if more must be read first.
fn parse(
    framing: &mut Option<Framing>,
    received: &mut Vec<u8>,
    body: &mut Vec<u8>,
    attempt: &Attempt,
) -> Result<Option<Vec<Input>>, FailureKind> {
    let Some(known) = framing else {
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut head = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(length) =
            head.parse(received).map_err(|_| FailureKind::Protocol)?
        else {
            return Ok(None);
        };
        let status = head.code.unwrap_or_default();
        let field = |name: &str| {
            let found = head
                .headers
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case(name));
            found.and_then(|field| std::str::from_utf8(field.value).ok())
        };
        let announced = field("content-length").map(|text| text.trim().parse());
        *framing = match announced.transpose().map_err(|_| FailureKind::Protocol)? {
            _ if matches!(status, 100..200) => None, // an interim response: the final one follows
            _ if matches!(status, 204 | 304) || attempt.method.as_str() == "HEAD" => {
                Some(Framing::Length(0))
            }
            _ if field("transfer-encoding").is_some() => Some(Framing::Chunked),
            Some(length) => Some(Framing::Length(length)),
            None => Some(Framing::UntilClose),
        };
        let wait = field("retry-after").and_then(|text| parse_retry_after(text, SystemTime::now()));
        let summary = HeadSummary::status(status)
            .location(field("location").map(Into::into))
            .retry_after(wait);
        received.drain(..length);
        return Ok(Some(
            framing
                .iter()
                .map(|_| Input::Head(summary.clone()))
                .collect(),
        ));
    };
    let (start, length) = match known {
        Framing::Length(0) => return Ok(Some(vec![Input::End(Ok(()))])),
        Framing::Length(left) => (0, received.len().min(*left)),
        Framing::UntilClose => (0, received.len()),
        Framing::Chunked => {
            match httparse::parse_chunk_size(received).map_err(|_| FailureKind::Protocol)? {
                httparse::Status::Complete((_, 0)) => return Ok(Some(vec![Input::End(Ok(()))])),
                httparse::Status::Complete((_, size)) if size > attempt.max_body => {
                    return Err(FailureKind::BodyTooLarge);
                }
                httparse::Status::Complete((start, size))
                    if received.len() >= start + size as usize + 2 =>
                {
                    (start, size as usize)
                }
                _ => return Ok(None),
            }
        }
    };
    if length == 0 {
        return Ok(None);
    }
    body.extend_from_slice(&received[start..start + length]);
    let line_end = if let Framing::Chunked = known { 2 } else { 0 };
    received.drain(..start + length + line_end);
    if let Framing::Length(left) = known {
        *left -= length;
    }
    Ok(Some(vec![Input::Body {
        bytes: length as u64,
    }]))
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
            "/stream-bytes/9000?chunk=1000",
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
                let (body, received) = (Vec::new(), Vec::new());
                exchange = Some(Exchange {
                    attempt,
                    body,
                    framing: None,
                    received,
                    stream: None,
                }); // 4
            }
            EngineOutput::Abort(id) => drop(exchange.take_if(|exchange| exchange.attempt.id == id)), // 7
            EngineOutput::Accept(_) | EngineOutput::Discard(_) => {} // 6: both bodies are read, one is printed
            EngineOutput::Done(_, outcome) => match outcome.result {
                Ok(response) => {
                    println!("{} {}: {} bytes", response.status, outcome.url, body.len())
                } // 8
                Err(error) => println!("{}: {error}", outcome.url),
            },
            EngineOutput::Event(_, event) => println!("{event}"),
            EngineOutput::Transfer { .. } => unreachable!("there is one engine"),
            EngineOutput::Idle(idle) => {
                let next: Vec<String> = urls.by_ref().take(idle.room).collect(); // 3
                if idle.live == 0 && next.is_empty() {
                    return Ok(());
                }
                if !next.is_empty() {
                    for url in next {
                        engine.submit(FetchRequest::get(url.parse()?), now())?;
                    }
                    continue;
                }
                let wake = idle.wake.map(|wake| wake.at.saturating_since(now())); // 2
                let limit = wake
                    .unwrap_or(Duration::MAX)
                    .clamp(Duration::from_millis(1), Duration::from_secs(60));
                let Some(current) = &mut exchange else {
                    std::thread::sleep(limit);
                    continue;
                };
                let id = current.attempt.id;
                let inputs = current
                    .advance(now, limit)
                    .unwrap_or_else(|failure| vec![Input::End(Err(failure))]);
                for input in inputs {
                    if matches!(input, Input::End(_)) {
                        body = exchange.take().map(|ended| ended.body).unwrap_or_default(); // 5: exactly one end
                    }
                    engine.handle(id, input, now());
                }
            }
        }
    }
}
