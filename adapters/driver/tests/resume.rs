//! Bodies that break off and are continued.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fetch_driver::{
    Backoff, BodySink, BodyWriter, Builder, ErrorKind, FailureKind, FetchError, Fetcher,
    IncomingResponse, Policy, Request, ResponseHead, ResumePoint, SaveError, SaveReceipt,
    TransportError, TransportOverride, Validator, transport_fn,
};
use fetch_smol::{Smol, StreamExt, stream};
use http::{HeaderMap, StatusCode, Version};

const TEXT: &str = "0123456789abcdefghij";

/// What the server answers: a part of a text, with a tag, broken off or not.
#[derive(Clone)]
struct Answer {
    status: u16,
    tag: &'static str,
    start: usize,
    text: &'static str,
    breaks_at: Option<usize>,
}

fn answer(status: u16, start: usize, breaks_at: Option<usize>) -> Answer {
    Answer {
        status,
        tag: "\"v1\"",
        start,
        text: TEXT,
        breaks_at,
    }
}

fn fields(answer: &Answer) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("etag", answer.tag.parse().unwrap());
    let length = answer.text.len();
    let range = match answer.status {
        206 => format!("bytes {}-{}/{length}", answer.start, length - 1),
        416 => format!("bytes */{length}"),
        _ => {
            headers.insert("content-length", length.into());
            return headers;
        }
    };
    headers.insert("content-range", range.parse().unwrap());
    headers
}

/// The fields `Range` and `If-Range` of each request.
type Asked = Arc<Mutex<Vec<(Option<String>, Option<String>)>>>;

fn fetcher(answers: Vec<Answer>) -> (Fetcher<impl fetch_driver::Adapter>, Asked) {
    let asked = Asked::default();
    let (log, answers) = (asked.clone(), Mutex::new(VecDeque::from(answers)));
    let transport = transport_fn(move |request: fetch_driver::OutgoingRequest, _| {
        let field = |name| {
            let value = request.headers.get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        log.lock()
            .unwrap()
            .push((field("range"), field("if-range")));
        let answer = answers.lock().unwrap().pop_front().expect("an answer");
        let end = answer.breaks_at.unwrap_or(answer.text.len());
        let text = match answer.status {
            200 | 206 => &answer.text[answer.start..end],
            _ => "not the body",
        };
        let chunks = text.as_bytes().chunks(3).map(Bytes::from_static);
        let mut body: Vec<Result<Bytes, TransportError>> = chunks.map(Ok).collect();
        if answer.breaks_at.is_some() {
            body.push(Err(TransportError::new(FailureKind::Io, "reset")));
        }
        let status = StatusCode::from_u16(answer.status).unwrap();
        std::future::ready(Ok(IncomingResponse::new(
            status,
            Version::HTTP_11,
            fields(&answer),
            stream::iter(body),
        )))
    });
    let policy = Policy::default().backoff(Backoff::default().base(Duration::ZERO));
    let adapter = TransportOverride::new(Smol::default(), transport);
    (Builder::new(adapter).policy(policy).build().unwrap(), asked)
}

/// Offset, status and validator of a body whose saving began.
type Opened = (u64, u16, Option<String>);

/// Saves in memory.
#[derive(Clone, Default)]
struct Sink {
    opened: Arc<Mutex<Vec<Opened>>>,
    kept: String,
}

struct Writer(Vec<u8>);

impl BodySink for Sink {
    fn open(&self, head: &ResponseHead<'_>) -> Box<dyn BodyWriter> {
        let validator = head.validator.map(ToString::to_string);
        let opened = (head.offset, head.status.as_u16(), validator);
        self.opened.lock().unwrap().push(opened);
        let kept = &self.kept.as_bytes()[..head.offset as usize];
        Box::new(Writer(kept.to_vec()))
    }
}

impl BodyWriter for Writer {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, chunk: Bytes) {
        self.0.extend_from_slice(&chunk);
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<SaveReceipt, SaveError>> {
        let text = String::from_utf8(std::mem::take(&mut self.0)).unwrap();
        Poll::Ready(Ok(Arc::new(text)))
    }
}

fn get() -> Request {
    Request::get("http://a.test/x").unwrap()
}

fn saved(outcome: &fetch_driver::Outcome) -> String {
    let saved = outcome.response().expect("a response").saved.clone();
    saved.unwrap().downcast_ref::<String>().unwrap().clone()
}

fn rest_asked(offset: usize) -> (Option<String>, Option<String>) {
    (Some(format!("bytes={offset}-")), Some("\"v1\"".to_owned()))
}

#[test]
fn a_saved_body_is_continued_by_the_same_writer() {
    let (fetcher, asked) = fetcher(vec![
        answer(200, 0, Some(7)),
        answer(206, 7, Some(12)),
        answer(206, 12, None),
    ]);
    let sink = Sink::default();
    let outcome = smol::block_on(fetcher.fetch(get().save(Arc::new(sink.clone()))));
    assert_eq!(saved(&outcome), TEXT);
    let response = outcome.response().unwrap();
    assert_eq!((response.status.as_u16(), response.bytes), (200, 20));
    assert_eq!(response.headers["content-length"], "20");
    assert!(!response.headers.contains_key("content-range"));
    assert_eq!((outcome.resumed_from, outcome.retries), (Some(12), 2));
    assert_eq!(
        *asked.lock().unwrap(),
        [(None, None), rest_asked(7), rest_asked(12)]
    );
    let opened = (0, 200, Some("\"v1\"".to_owned()));
    assert_eq!(*sink.opened.lock().unwrap(), [opened]);
}

#[test]
fn a_changed_body_starts_over_with_a_new_writer() {
    let changed = Answer {
        tag: "\"v2\"",
        text: "changed",
        ..answer(200, 0, None)
    };
    let (fetcher, _) = fetcher(vec![answer(200, 0, Some(7)), changed]);
    let sink = Sink::default();
    let outcome = smol::block_on(fetcher.fetch(get().save(Arc::new(sink.clone()))));
    assert_eq!(saved(&outcome), "changed");
    assert_eq!(outcome.resumed_from, None);
    assert_eq!(sink.opened.lock().unwrap().len(), 2);
}

#[test]
fn a_part_of_another_body_is_not_appended() {
    let wrong = Answer {
        tag: "\"v2\"",
        ..answer(206, 7, None)
    };
    let (fetcher, asked) = fetcher(vec![answer(200, 0, Some(7)), wrong, answer(200, 0, None)]);
    let sink = Sink::default();
    let outcome = smol::block_on(fetcher.fetch(get().save(Arc::new(sink.clone()))));
    assert_eq!(saved(&outcome), TEXT);
    assert_eq!(asked.lock().unwrap()[2], (None, None));
}

#[test]
fn a_decoded_body_starts_over() {
    let asked = Asked::default();
    let log = asked.clone();
    let transport = transport_fn(move |request: fetch_driver::OutgoingRequest, _| {
        let range = request.headers.get("range").map(|_| String::new());
        let mut log = log.lock().unwrap();
        log.push((range, None));
        let mut body = vec![Ok(Bytes::from_static(b"whole"))];
        if log.len() == 1 {
            body.push(Err(TransportError::new(FailureKind::Io, "reset")));
        }
        let headers = fields(&answer(200, 0, None));
        let response = IncomingResponse::new(
            StatusCode::OK,
            Version::HTTP_11,
            headers,
            stream::iter(body),
        );
        std::future::ready(Ok(response.decoded(Some(Box::default()))))
    });
    let policy = Policy::default().backoff(Backoff::default().base(Duration::ZERO));
    let adapter = TransportOverride::new(Smol::default(), transport);
    let fetcher = Builder::new(adapter).policy(policy).build().unwrap();
    let outcome = smol::block_on(fetcher.fetch(get().save(Arc::new(Sink::default()))));
    assert_eq!(saved(&outcome), "whole");
    assert_eq!(*asked.lock().unwrap(), [(None, None), (None, None)]);
}

#[test]
fn a_body_of_an_earlier_process_is_continued_or_starts_over() {
    let point = || ResumePoint::new(7, Validator::parse("\"v1\""));
    for (answered, opened, text, resumed) in [
        (answer(206, 7, None), (7, 206), TEXT, Some(7)),
        (answer(200, 0, None), (0, 200), TEXT, None),
        (
            Answer {
                text: "0123456",
                ..answer(416, 0, None)
            },
            (7, 416),
            "0123456",
            Some(7),
        ),
    ] {
        let (fetcher, asked) = fetcher(vec![answered]);
        let sink = Sink {
            kept: "0123456".to_owned(),
            ..Sink::default()
        };
        let request = get().save(Arc::new(sink.clone())).resume_from(point());
        let outcome = smol::block_on(fetcher.fetch(request));
        assert_eq!(saved(&outcome), text);
        assert_eq!(outcome.resumed_from, resumed);
        let response = outcome.response().unwrap();
        assert_eq!(
            (response.status.as_u16(), response.bytes),
            (200, text.len() as u64)
        );
        assert_eq!(*asked.lock().unwrap(), [rest_asked(7)]);
        let first = sink.opened.lock().unwrap()[0].clone();
        assert_eq!((first.0, first.1), opened);
        assert_eq!(first.2.as_deref(), Some("\"v1\""));
    }
}

#[test]
fn only_a_saved_get_can_continue_an_earlier_body() {
    let point = ResumePoint::new(7, None);
    let sink: Arc<dyn BodySink> = Arc::new(Sink::default());
    let ranged = get().header("range", "bytes=0-5").unwrap();
    for request in [
        get(),
        Request::new(fetch_driver::Method::Post, "http://a.test/x")
            .unwrap()
            .save(sink.clone()),
        ranged.save(sink.clone()),
    ] {
        let (fetcher, _) = fetcher(Vec::new());
        let outcome = smol::block_on(fetcher.fetch(request.resume_from(point.clone())));
        assert_eq!(outcome.error().unwrap().kind(), ErrorKind::Stopped);
    }
}

#[test]
fn a_request_for_a_part_is_sent_again_as_it_was() {
    let (fetcher, asked) = fetcher(vec![answer(206, 5, Some(9)), answer(206, 5, None)]);
    let request = get().header("range", "bytes=5-").unwrap();
    let outcome = smol::block_on(fetcher.fetch(request.save(Arc::new(Sink::default()))));
    assert_eq!(saved(&outcome), TEXT[5..]);
    let asked = asked.lock().unwrap();
    assert_eq!(asked[1], (Some("bytes=5-".to_owned()), None));
    assert_eq!(outcome.response().unwrap().status, 206);
}

#[test]
fn a_stream_is_continued_without_a_gap() {
    let (fetcher, asked) = fetcher(vec![
        answer(200, 0, Some(7)),
        answer(206, 7, Some(12)),
        answer(206, 12, None),
    ]);
    let text = smol::block_on(async {
        let mut response = fetcher.open(get()).await.unwrap();
        assert_eq!(response.status, 200);
        let mut text = Vec::new();
        while let Some(chunk) = response.body.next().await {
            text.extend_from_slice(&chunk.unwrap());
        }
        text
    });
    assert_eq!(String::from_utf8(text).unwrap(), TEXT);
    assert_eq!(asked.lock().unwrap()[2], rest_asked(12));
}

#[test]
fn a_stream_whose_body_has_changed_ends_with_the_error() {
    let changed = Answer {
        tag: "\"v2\"",
        ..answer(200, 0, None)
    };
    let (fetcher, _) = fetcher(vec![answer(200, 0, Some(7)), changed]);
    let (text, error) = smol::block_on(async {
        let mut response = fetcher.open(get()).await.unwrap();
        let mut text = Vec::new();
        loop {
            match response.body.next().await {
                Some(Ok(chunk)) => text.extend_from_slice(&chunk),
                Some(Err(error)) => return (text, error),
                None => panic!("it ended well"),
            }
        }
    });
    assert_eq!(text, &TEXT.as_bytes()[..7]);
    let kind = ErrorKind::Fetch(FetchError::Failed(FailureKind::Io));
    assert_eq!(error.kind(), kind);
}
