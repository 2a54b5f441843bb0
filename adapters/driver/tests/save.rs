//! Bodies that are saved while they come.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fetch_driver::{
    Backoff, Builder, ErrorKind, Failure, FetchError, Incoming, Outcome, Policy, Request,
    ResponseHead, SaveBody, SaveError, Saved, Saving, TransportError, WithTransport, transport_fn,
};
use fetch_smol::{Smol, stream};

type Chunk = Result<Bytes, TransportError>;

/// Saves in memory, as slowly as it is told to.
#[derive(Clone, Default)]
struct Shelf(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// After so many bytes there is no room; 0 is no limit.
    capacity: usize,
    /// How often there is no room at once, for each chunk.
    delays: usize,
    dropped: AtomicUsize,
    opened: Mutex<Vec<(u16, String, bool)>>,
}

struct Book {
    bytes: Vec<u8>,
    delays: usize,
    finished: bool,
    shelf: Shelf,
}

impl SaveBody for Shelf {
    fn open(&self, head: &ResponseHead<'_>) -> Box<dyn Saving> {
        let (url, attached) = (head.url.to_string(), head.attached.is_some());
        let opened = (head.status.as_u16(), url, attached);
        self.0.opened.lock().unwrap().push(opened);
        Box::new(Book {
            bytes: Vec::new(),
            delays: self.0.delays,
            finished: false,
            shelf: self.clone(),
        })
    }
}

impl Book {
    fn wait(&mut self, cx: &Context<'_>) -> bool {
        let Some(left) = self.delays.checked_sub(1) else {
            self.delays = self.shelf.0.delays;
            return false;
        };
        self.delays = left;
        cx.waker().wake_by_ref();
        true
    }
}

impl Saving for Book {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
        if self.wait(cx) {
            return Poll::Pending;
        }
        let full = self.shelf.0.capacity > 0 && self.bytes.len() > self.shelf.0.capacity;
        Poll::Ready(match full {
            true => Err("the shelf is full".into()),
            false => Ok(()),
        })
    }

    fn write(&mut self, chunk: Bytes) {
        self.bytes.extend_from_slice(&chunk);
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<Saved, SaveError>> {
        if self.wait(cx) {
            return Poll::Pending;
        }
        self.finished = true;
        Poll::Ready(Ok(Arc::new(std::mem::take(&mut self.bytes))))
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        if !self.finished {
            self.shelf.0.dropped.fetch_add(1, SeqCst);
        }
    }
}

/// Fetches with these answers, the last of which is given again and again.
fn fetch(shelf: &Shelf, policy: Policy, answers: Vec<(u16, Vec<&'static str>, bool)>) -> Outcome {
    let sent = AtomicUsize::new(0);
    let transport = transport_fn(move |_, _| {
        let n = sent.fetch_add(1, SeqCst).min(answers.len() - 1);
        let (status, chunks, broken) = answers[n].clone();
        let mut body: Vec<Chunk> = chunks.into_iter().map(|text| Ok(text.into())).collect();
        if broken {
            body.push(Err(TransportError::new(Failure::Io, "the cable was cut")));
        }
        std::future::ready(Ok(Incoming {
            body: stream::iter(body),
            headers: http::HeaderMap::new(),
            status: http::StatusCode::from_u16(status).unwrap(),
            version: http::Version::HTTP_11,
        }))
    });
    let policy = policy.backoff(Backoff::default().base(Duration::ZERO));
    let fetcher = Builder::new(WithTransport::new(Smol::default(), transport))
        .policy(policy)
        .build()
        .unwrap();
    let request = Request::get("http://a.test/x").unwrap();
    let request = request.attach(Arc::new(7)).save(Arc::new(shelf.clone()));
    smol::block_on(fetcher.fetch(request))
}

fn saved(outcome: &Outcome) -> String {
    let saved = outcome.response().unwrap().saved.clone().unwrap();
    String::from_utf8(saved.downcast_ref::<Vec<u8>>().unwrap().clone()).unwrap()
}

#[test]
fn a_body_goes_where_it_is_saved_and_nowhere_else() {
    let shelf = Shelf::default();
    let outcome = fetch(
        &shelf,
        Policy::default(),
        vec![(200, vec!["one ", "two"], false)],
    );
    let response = outcome.response().unwrap();
    assert_eq!((response.body.len(), response.bytes), (0, 7));
    assert_eq!(saved(&outcome), "one two");
    let opened = (200, "http://a.test/x".to_owned(), true);
    assert_eq!(*shelf.0.opened.lock().unwrap(), [opened]);
    assert_eq!(shelf.0.dropped.load(SeqCst), 0);
}

#[test]
fn a_retry_inside_a_body_begins_anew_and_a_refused_response_is_never_begun() {
    let shelf = Shelf::default();
    let outcome = fetch(
        &shelf,
        Policy::default().attempts(3),
        vec![
            (503, vec!["later"], false),
            (200, vec!["hal"], true),
            (200, vec!["whole"], false),
        ],
    );
    assert_eq!((saved(&outcome).as_str(), outcome.retries), ("whole", 2));
    assert_eq!(shelf.0.opened.lock().unwrap().len(), 2);
    assert_eq!(shelf.0.dropped.load(SeqCst), 1, "the half is dropped");
}

#[test]
fn what_saves_slowly_is_waited_for_at_each_chunk_and_at_the_end() {
    let shelf = Shelf(Arc::new(Inner {
        delays: 50,
        ..Inner::default()
    }));
    let answers = vec![(200, vec!["a", "b", "c"], false)];
    assert_eq!(saved(&fetch(&shelf, Policy::default(), answers)), "abc");
}

#[test]
fn what_cannot_be_saved_ends_the_fetch_with_its_reason_and_no_retry() {
    let shelf = Shelf(Arc::new(Inner {
        capacity: 2,
        ..Inner::default()
    }));
    let outcome = fetch(
        &shelf,
        Policy::default().attempts(5),
        vec![(200, vec!["abc", "d"], false)],
    );
    let error = outcome.error().unwrap();
    let kind = ErrorKind::Fetch(FetchError::Failed(Failure::Save));
    assert_eq!((error.kind(), outcome.retries), (kind, 0));
    assert!(error.to_string().contains("the shelf is full"), "{error}");
    assert_eq!(shelf.0.dropped.load(SeqCst), 1);
}

#[test]
fn a_body_over_the_limit_is_dropped_by_what_saves() {
    let shelf = Shelf::default();
    let policy = Policy::default().max_body(3);
    let outcome = fetch(&shelf, policy, vec![(200, vec!["abc", "d"], false)]);
    assert!(outcome.error().unwrap().to_string().contains("limit"));
    assert_eq!(shelf.0.opened.lock().unwrap().len(), 1);
}
