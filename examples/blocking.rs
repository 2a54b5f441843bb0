//! A driver of the core over `std::net`: HTTP/1.0, a thread for each attempt, no async.
//!
//! docs/driver.md lists the duties of a driver; the numbers in the comments are those of the list.
//! `cargo run --example blocking [-- URL…]` fetches from a test site that it starts itself, or these URLs.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant, SystemTime};
use std::{sync::mpsc, thread};

use fetch_all::driver::{parse_retry_after, url::Position};
use fetch_all::proto::{Attempt, AttemptPhase, Engine, EngineConfig, EngineOutput, FailureKind};
use fetch_all::proto::{FetchRequest, HeadSummary, Input, InputEffect, Timestamp};

/// What a thread reports about its attempt.
enum Report {
    Connected(TcpStream),
    Body(Vec<u8>),
    Other(Input),
}

/// Sends a request and receives its response.
fn exchange(attempt: &Attempt, report: impl Fn(Report)) -> Result<(), FailureKind> {
    let (url, method) = (&attempt.url, attempt.method.as_str());
    if url.scheme() != "http" {
        return Err(FailureKind::Unsupported);
    }
    let addresses = url.socket_addrs(|| None);
    let addresses = addresses.map_err(|_| FailureKind::Resolve)?; // 11
    let mut stream = TcpStream::connect(&*addresses).map_err(|_| FailureKind::Connect)?;
    let second = stream.try_clone().map_err(|_| FailureKind::Exhausted)?;
    report(Report::Connected(second));
    let broken = |_: io::Error| FailureKind::Io;
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let host = &url[Position::BeforeHost..Position::AfterPort];
    write!(stream, "{method} {target} HTTP/1.0\r\nHost: {host}\r\n\r\n").map_err(broken)?;

    let mut stream = BufReader::new(stream);
    let (mut head, mut limited) = (Vec::new(), stream.by_ref().take(64 * 1024));
    while !head.ends_with(b"\r\n\r\n") {
        match limited.read_until(b'\n', &mut head).map_err(broken)? {
            0 if head.is_empty() => return Err(FailureKind::EmptyReply),
            0 => return Err(FailureKind::Io),
            _ => {}
        }
    }
    let (summary, length) = parse_head(&head).ok_or(FailureKind::Protocol)?;
    report(Report::Other(Input::Head(summary)));
    let mut received = 0;
    loop {
        let piece = stream.fill_buf().map_err(broken)?.to_vec();
        match piece.len() {
            0 if length.is_none_or(|length| length == received) => return Ok(()),
            0 => return Err(FailureKind::Io),
            size => received += size,
        }
        stream.consume(piece.len());
        report(Report::Body(piece));
    }
}

/// What decisions depend on, and the length that the body must have.
fn parse_head(text: &[u8]) -> Option<(HeadSummary, Option<usize>)> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Response::new(&mut fields);
    head.parse(text).ok()?;
    let field = |name: &str| {
        let mut fields = head.headers.iter();
        let field = fields.find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(field.value).ok()
    };
    let wait = field("retry-after").and_then(|text| parse_retry_after(text, SystemTime::now()));
    let summary = HeadSummary::status(head.code?).retry_after(wait); // 12
    let length = field("content-length").map(str::parse).transpose();
    Some((
        summary.location(field("location").map(Into::into)),
        length.ok()?,
    ))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = fetch_testbed::Site::start()?;
    let mut urls: Vec<String> = std::env::args().skip(1).collect();
    if urls.is_empty() {
        let paths = "get status/404 flaky/1?key=example redirect/2 reset".split(' ');
        urls = paths.map(|path| site.url(&format!("/{path}"))).collect();
    }
    let (mut urls, start) = (urls.into_iter(), Instant::now());
    let now = || Timestamp::from_start(start.elapsed()); // 1
    let mut engine = Engine::new(EngineConfig::default().concurrency(4), 7, now());
    let (mut streams, mut bodies) = (HashMap::new(), HashMap::new());
    let (sender, reports) = mpsc::channel();
    loop {
        match engine.poll(now()) {
            EngineOutput::Start(attempt) => {
                let sender = sender.clone(); // 4
                thread::spawn(move || {
                    let report = |report| drop(sender.send((attempt.id, report)));
                    report(Report::Other(Input::End(exchange(&attempt, report)))); // 5
                });
            }
            EngineOutput::Accept(id) => drop(bodies.insert(id, Vec::new())), // 6
            EngineOutput::Discard(_) => {}
            EngineOutput::Abort(id) => close(streams.remove(&id)), // 7
            EngineOutput::Done(_, outcome) => match outcome.result {
                Ok(response) => {
                    let body = bodies.remove(&response.attempt).unwrap_or_default(); // 8
                    println!("{} {}: {} bytes", response.status, outcome.url, body.len());
                }
                Err(error) => println!("{}: {error}", outcome.url),
            },
            EngineOutput::Event(_, event) => println!("{event}"),
            EngineOutput::AcquireToken(_) => unreachable!("there are no profiles"),
            EngineOutput::Transfer { .. } => unreachable!("there is one engine"),
            EngineOutput::Idle(idle) => {
                let next: Vec<String> = urls.by_ref().take(idle.room).collect(); // 3
                if next.is_empty() && idle.live == 0 {
                    return Ok(());
                }
                if !next.is_empty() {
                    for url in next {
                        engine.submit(FetchRequest::get(url.parse()?), now())?;
                    }
                    continue;
                }
                let wake = idle.wake.map(|wake| wake.at.saturating_since(now())); // 2, 9
                let report = reports.recv_timeout(wake.unwrap_or(Duration::MAX));
                let Ok((id, report)) = report else { continue };
                let input = match report {
                    Report::Connected(stream) => {
                        streams.insert(id, stream);
                        Input::Mark(AttemptPhase::Connected, now()) // 10
                    }
                    Report::Body(piece) => {
                        let bytes = piece.len() as u64; // 13: the engine limits them
                        bodies.entry(id).and_modify(|body| body.extend(piece));
                        Input::Body { bytes }
                    }
                    Report::Other(input) => input,
                };
                let is_end = matches!(input, Input::End(_));
                // Without effect if it was aborted, perhaps while it connected.
                if engine.handle(id, input, now()) == InputEffect::Stale || is_end {
                    close(streams.remove(&id));
                }
            }
        }
    }
}

fn close(stream: Option<TcpStream>) {
    stream.map(|stream| stream.shutdown(Shutdown::Both));
}
