//! Bodies that are saved while they are received.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fetch_driver::{
    Backoff, BodySink, BodyWriter, Builder, ErrorKind, FailureKind, FetchError, IncomingResponse,
    Outcome, Policy, Request, ResponseHead, SaveError, SaveReceipt, TransportError,
    TransportOverride, transport_fn,
};
use fetch_smol::{Smol, stream};

type Chunk = Result<Bytes, TransportError>;

/// Saves in memory, with delays and a limited capacity.
#[derive(Clone, Default)]
struct MemorySink(Arc<SinkState>);

#[derive(Default)]
struct SinkState {
    /// Capacity in bytes; 0 is unlimited.
    capacity: usize,
    /// For how many polls the writer is not ready before each chunk and before the end.
    delays: usize,
    dropped: AtomicUsize,
    opened: Mutex<Vec<(u16, String, bool)>>,
}

struct MemoryWriter {
    bytes: Vec<u8>,
    delays: usize,
    finished: bool,
    sink: MemorySink,
}

impl BodySink for MemorySink {
    fn open(&self, head: &ResponseHead<'_>) -> Box<dyn BodyWriter> {
        let (url, attached) = (head.url.to_string(), head.attached.is_some());
        let opened = (head.status.as_u16(), url, attached);
        self.0.opened.lock().unwrap().push(opened);
        Box::new(MemoryWriter {
            bytes: Vec::new(),
            delays: self.0.delays,
            finished: false,
            sink: self.clone(),
        })
    }
}

impl MemoryWriter {
    fn wait(&mut self, cx: &Context<'_>) -> bool {
        let Some(left) = self.delays.checked_sub(1) else {
            self.delays = self.sink.0.delays;
            return false;
        };
        self.delays = left;
        cx.waker().wake_by_ref();
        true
    }
}

impl BodyWriter for MemoryWriter {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
        if self.wait(cx) {
            return Poll::Pending;
        }
        let full = self.sink.0.capacity > 0 && self.bytes.len() > self.sink.0.capacity;
        Poll::Ready(match full {
            true => Err("out of space".into()),
            false => Ok(()),
        })
    }

    fn write(&mut self, chunk: Bytes) {
        self.bytes.extend_from_slice(&chunk);
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<SaveReceipt, SaveError>> {
        if self.wait(cx) {
            return Poll::Pending;
        }
        self.finished = true;
        Poll::Ready(Ok(Arc::new(std::mem::take(&mut self.bytes))))
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        if !self.finished {
            self.sink.0.dropped.fetch_add(1, SeqCst);
        }
    }
}

/// Fetches with these responses; the last one is repeated.
fn fetch(
    sink: &MemorySink,
    policy: Policy,
    answers: Vec<(u16, Vec<&'static str>, bool)>,
) -> Outcome {
    let sent = AtomicUsize::new(0);
    let transport = transport_fn(move |_, _| {
        let n = sent.fetch_add(1, SeqCst).min(answers.len() - 1);
        let (status, chunks, broken) = answers[n].clone();
        let mut body: Vec<Chunk> = chunks.into_iter().map(|text| Ok(text.into())).collect();
        if broken {
            body.push(Err(TransportError::new(
                FailureKind::Io,
                "connection reset",
            )));
        }
        std::future::ready(Ok(IncomingResponse::new(
            http::StatusCode::from_u16(status).unwrap(),
            http::Version::HTTP_11,
            http::HeaderMap::new(),
            stream::iter(body),
        )))
    });
    let policy = policy.backoff(Backoff::default().base(Duration::ZERO));
    let fetcher = Builder::new(TransportOverride::new(Smol::default(), transport))
        .policy(policy)
        .build()
        .unwrap();
    let request = Request::get("http://a.test/x").unwrap();
    let request = request.attach(Arc::new(7)).save(Arc::new(sink.clone()));
    smol::block_on(fetcher.fetch(request))
}

fn saved(outcome: &Outcome) -> String {
    let saved = outcome.response().unwrap().saved.clone().unwrap();
    String::from_utf8(saved.downcast_ref::<Vec<u8>>().unwrap().clone()).unwrap()
}

#[test]
fn a_saved_body_is_not_collected() {
    let sink = MemorySink::default();
    let outcome = fetch(
        &sink,
        Policy::default(),
        vec![(200, vec!["one ", "two"], false)],
    );
    let response = outcome.response().unwrap();
    assert_eq!((response.body.len(), response.bytes), (0, 7));
    assert_eq!(saved(&outcome), "one two");
    let opened = (200, "http://a.test/x".to_owned(), true);
    assert_eq!(*sink.0.opened.lock().unwrap(), [opened]);
    assert_eq!(sink.0.dropped.load(SeqCst), 0);
}

#[test]
fn a_retry_opens_a_new_writer_and_a_rejected_response_opens_none() {
    let sink = MemorySink::default();
    let outcome = fetch(
        &sink,
        Policy::default().attempts(3),
        vec![
            (503, vec!["later"], false),
            (200, vec!["hal"], true),
            (200, vec!["whole"], false),
        ],
    );
    assert_eq!((saved(&outcome).as_str(), outcome.retries), ("whole", 2));
    assert_eq!(sink.0.opened.lock().unwrap().len(), 2);
    assert_eq!(
        sink.0.dropped.load(SeqCst),
        1,
        "the first writer is dropped"
    );
}

#[test]
fn a_slow_writer_is_waited_for_at_each_chunk_and_at_the_end() {
    let sink = MemorySink(Arc::new(SinkState {
        delays: 50,
        ..SinkState::default()
    }));
    let answers = vec![(200, vec!["a", "b", "c"], false)];
    assert_eq!(saved(&fetch(&sink, Policy::default(), answers)), "abc");
}

#[test]
fn a_failed_save_ends_the_fetch_with_the_reason_and_without_a_retry() {
    let sink = MemorySink(Arc::new(SinkState {
        capacity: 2,
        ..SinkState::default()
    }));
    let outcome = fetch(
        &sink,
        Policy::default().attempts(5),
        vec![(200, vec!["abc", "d"], false)],
    );
    let error = outcome.error().unwrap();
    let kind = ErrorKind::Fetch(FetchError::Failed(FailureKind::Save));
    assert_eq!((error.kind(), outcome.retries), (kind, 0));
    assert!(error.to_string().contains("out of space"), "{error}");
    assert_eq!(sink.0.dropped.load(SeqCst), 1);
}

#[test]
fn the_writer_of_a_body_over_the_limit_is_dropped() {
    let sink = MemorySink::default();
    let policy = Policy::default().max_body(3);
    let outcome = fetch(&sink, policy, vec![(200, vec!["abc", "d"], false)]);
    assert!(outcome.error().unwrap().to_string().contains("limit"));
    assert_eq!(sink.0.opened.lock().unwrap().len(), 1);
}
