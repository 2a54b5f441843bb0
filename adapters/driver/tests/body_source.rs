//! Request bodies that are produced again for each attempt.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fetch_driver::{
    Backoff, BodySource, BodyStream, Builder, FailureKind, IncomingResponse, Method, Outcome,
    Policy, Request, RequestBody, TransportError, TransportOverride, transport_fn,
};
use fetch_smol::{Smol, StreamExt, stream};
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};

/// The length of a body, if it was announced, and its bytes.
type SentBody = (Option<u64>, Vec<u8>);

struct Parts {
    length: Option<u64>,
    opened: AtomicUsize,
}

impl BodySource for Parts {
    fn length(&self) -> Option<u64> {
        self.length
    }

    fn open(&self) -> BodyStream {
        self.opened.fetch_add(1, SeqCst);
        Box::pin(stream::iter(["ab", "c"]).map(|part| Ok(part.into())))
    }
}

/// Fetches with these answers, and returns the length and the bytes of each body that was sent.
fn fetch(method: Method, answers: &'static [u16]) -> (Outcome, Vec<SentBody>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = sent.clone();
    let transport = transport_fn(move |request: fetch_driver::OutgoingRequest, _| {
        let seen = seen.clone();
        async move {
            let length = request.body.length();
            let bytes = match request.body {
                RequestBody::Stream { stream, .. } => {
                    let chunks: Vec<Bytes> = stream.map(Result::unwrap).collect().await;
                    chunks.concat()
                }
                other => other.into_bytes()?.to_vec(),
            };
            let mut seen = seen.lock().unwrap();
            let status = StatusCode::from_u16(answers[seen.len()]).unwrap();
            seen.push((length, bytes));
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, HeaderValue::from_static("/next"));
            let body = stream::empty::<Result<Bytes, TransportError>>();
            Ok(IncomingResponse::new(
                status,
                Version::HTTP_11,
                headers,
                body,
            ))
        }
    });
    let fetcher = Builder::new(TransportOverride::new(Smol::default(), transport));
    let policy = Policy::default().backoff(Backoff::default().base(Duration::ZERO));
    let fetcher = fetcher.policy(policy).build().unwrap();
    let source = Arc::new(Parts {
        length: Some(3),
        opened: AtomicUsize::new(0),
    });
    let request = Request::new(method, "http://a.test/").unwrap();
    let outcome = smol::block_on(fetcher.fetch(request.body_source(source.clone())));
    let sent = std::mem::take(&mut *sent.lock().unwrap());
    let bodies = sent.iter().filter(|(_, bytes)| !bytes.is_empty()).count();
    assert_eq!(source.opened.load(SeqCst), bodies);
    (outcome, sent)
}

fn whole() -> SentBody {
    (Some(3), b"abc".to_vec())
}

#[test]
fn the_body_is_sent_again_with_a_retry() {
    let (outcome, sent) = fetch(Method::Put, &[503, 200]);
    assert_eq!((outcome.retries, sent), (1, vec![whole(), whole()]));
}

#[test]
fn a_redirect_repeats_or_drops_the_body() {
    let (_, sent) = fetch(Method::Post, &[307, 200]);
    assert_eq!(sent, [whole(), whole()]);
    let (_, sent) = fetch(Method::Post, &[303, 200]);
    assert_eq!(sent, [whole(), (Some(0), Vec::new())]);
}

#[test]
fn a_stream_that_no_attempt_has_read_is_sent_by_the_next_one() {
    for reads in [false, true] {
        let attempts = Arc::new(AtomicUsize::new(0));
        let seen = attempts.clone();
        let transport = transport_fn(move |request: fetch_driver::OutgoingRequest, _| {
            let is_first = seen.fetch_add(1, SeqCst) == 0;
            async move {
                if is_first && !reads {
                    return Err(TransportError::new(FailureKind::Connect, "refused"));
                }
                let bytes = match request.body {
                    RequestBody::Stream { mut stream, .. } => stream.next().await.unwrap().unwrap(),
                    _ => unreachable!(),
                };
                if is_first {
                    return Err(TransportError::new(FailureKind::Connect, "refused"));
                }
                let body = stream::iter([Ok::<_, TransportError>(bytes)]);
                let (status, headers) = (StatusCode::OK, HeaderMap::new());
                Ok(IncomingResponse::new(
                    status,
                    Version::HTTP_11,
                    headers,
                    body,
                ))
            }
        });
        let fetcher = Builder::new(TransportOverride::new(Smol::default(), transport));
        let policy = Policy::default().backoff(Backoff::default().base(Duration::ZERO));
        let fetcher = fetcher.policy(policy).build().unwrap();
        let chunks = Box::pin(stream::iter(["abc"]).map(|part| Ok(part.into())));
        let request = Request::put("http://a.test/").unwrap();
        let outcome = smol::block_on(fetcher.fetch(request.body_stream(None, chunks)));
        let expected = if reads { 1 } else { 2 };
        assert_eq!(attempts.load(SeqCst), expected);
        assert_eq!(outcome.result.is_ok(), !reads);
    }
}
