//! Bodies that break off while they are saved or streamed, and are continued.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;

use fetch_all::driver::{BodySink, BodyWriter, ResponseHead, SaveError, SaveReceipt};
use fetch_all::smol::bytes::Bytes;
use futures::StreamExt;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    Mismatch, TestContext, check_eq, check_ok, get_request, test_policy,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Downloads",
    behaviours: behaviours![
        "a saved body that breaks off is continued" => broken_saved_body_is_continued,
        "a saved body that has changed starts over" => changed_body_starts_over,
        "a streamed body that breaks off is continued" => broken_streamed_body_is_continued,
    ],
};

const TEXT: &str = "The quick brown fox jumps over the lazy dog.";

/// A server of a text. It closes each connection after a third of the text.
struct BreakingServer {
    asked: Arc<Mutex<Vec<String>>>,
    url: String,
}

impl BreakingServer {
    /// `changes`: whether the text has another tag at each request, so that it is never continued.
    fn start(changes: bool) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/text", listener.local_addr()?);
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = asked.clone();
        thread::spawn(move || {
            for (n, client) in listener.incoming().enumerate() {
                let Ok(client) = client else { return };
                // The last attempt gets all of it.
                let part = if changes && n == 2 {
                    TEXT.len()
                } else {
                    TEXT.len() / 3 + 1
                };
                let tag = if changes {
                    format!("\"{n}\"")
                } else {
                    "\"0\"".to_owned()
                };
                let range = answer(client, &tag, part).unwrap_or_default();
                log.lock().unwrap().push(range);
            }
        });
        Ok(Self { asked, url })
    }
}

/// Answers one request with a part of the text, and returns its `Range`.
fn answer(mut client: TcpStream, tag: &str, part: usize) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let field = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or(String::new(), |(_, value)| value.trim().to_owned())
    };
    let range = field("range");
    let start = range
        .trim_start_matches("bytes=")
        .trim_end_matches('-')
        .parse();
    let start = start.ok().filter(|_| field("if-range") == tag).unwrap_or(0);
    let (all, left) = (TEXT.len(), TEXT.len() - start);
    let status = match start {
        0 => "200 OK".to_owned(),
        _ => format!(
            "206 Partial Content\r\nContent-Range: bytes {start}-{}/{all}",
            all - 1
        ),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {left}\r\nETag: {tag}\r\n\r\n");
    client.write_all(head.as_bytes())?;
    client.write_all(&TEXT.as_bytes()[start..all.min(start + part)])?;
    client.shutdown(Shutdown::Both)?;
    Ok(range)
}

/// Saves bodies in memory.
struct MemorySink;

struct MemoryWriter(Vec<u8>);

impl BodySink for MemorySink {
    fn open(&self, _: &ResponseHead<'_>) -> Box<dyn BodyWriter> {
        Box::new(MemoryWriter(Vec::new()))
    }
}

impl BodyWriter for MemoryWriter {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, chunk: Bytes) {
        self.0.extend_from_slice(&chunk);
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<SaveReceipt, SaveError>> {
        Poll::Ready(Ok(Arc::new(std::mem::take(&mut self.0))))
    }
}

async fn saved_text(
    context: &TestContext,
    server: &BreakingServer,
) -> Result<(String, Option<u64>), Mismatch> {
    let fetcher = context.fetcher_with_policy(test_policy().attempts(5))?;
    let request = get_request(server.url.clone())?.save(Arc::new(MemorySink));
    let outcome = fetcher.fetch(request).await;
    check_ok(&outcome)?;
    let saved = outcome
        .response()
        .and_then(|response| response.saved.clone());
    let saved = saved.and_then(|saved| saved.downcast::<Vec<u8>>().ok());
    let text = saved.map_or_else(String::new, |bytes| {
        String::from_utf8_lossy(&bytes).into_owned()
    });
    Ok((text, outcome.resumed_from))
}

async fn broken_saved_body_is_continued(context: &TestContext) -> CheckResult {
    let server = BreakingServer::start(false)?;
    let (text, resumed_from) = saved_text(context, &server).await?;
    check_eq("body", text.as_str(), TEXT)?;
    check_eq("resumed from", resumed_from, Some(30))?;
    let asked = server.asked.lock().unwrap().clone();
    check_eq("ranges", asked.join(" "), " bytes=15- bytes=30-".to_owned())
}

async fn changed_body_starts_over(context: &TestContext) -> CheckResult {
    let server = BreakingServer::start(true)?;
    let (text, resumed_from) = saved_text(context, &server).await?;
    check_eq("body", text.as_str(), TEXT)?;
    check_eq("resumed from", resumed_from, None)
}

async fn broken_streamed_body_is_continued(context: &TestContext) -> CheckResult {
    let server = BreakingServer::start(false)?;
    let fetcher = context.fetcher_with_policy(test_policy().attempts(5))?;
    let mut response = fetcher.open(get_request(server.url.clone())?).await?;
    let mut text = Vec::new();
    while let Some(chunk) = response.body.next().await {
        text.extend_from_slice(&chunk?);
    }
    check_eq("body", &*String::from_utf8_lossy(&text), TEXT)
}
