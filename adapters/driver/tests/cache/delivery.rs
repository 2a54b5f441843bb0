//! How responses from the cache are delivered.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use fetch_driver::cache::CacheMode;
use fetch_driver::{BodySink, BodyWriter, Fetcher, Response, ResponseHead, SaveError, SaveReceipt};
use futures_lite::StreamExt;
use futures_lite::future::block_on;

use crate::server::{FRESH, STALE, Server, cache, get, refuse, request, respond, told};

/// Saves bodies as text.
struct Texts;

struct TextWriter(Vec<u8>);

impl BodySink for Texts {
    fn open(&self, head: &ResponseHead<'_>) -> Box<dyn BodyWriter> {
        Box::new(TextWriter(head.status.as_str().as_bytes().to_vec()))
    }
}

impl BodyWriter for TextWriter {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SaveError>> {
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, chunk: Bytes) {
        self.0.extend_from_slice(&chunk);
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<SaveReceipt, SaveError>> {
        Poll::Ready(Ok(Arc::new(String::from_utf8(self.0.clone()).unwrap())))
    }
}

fn saved(response: &Response) -> String {
    let receipt = response.saved.clone().unwrap();
    (*receipt.downcast::<String>().unwrap()).clone()
}

async fn streamed(fetcher: &Fetcher<Server>) -> (u16, String) {
    let mut response = fetcher.open(request()).await.unwrap();
    let mut body = Vec::new();
    while let Some(chunk) = response.body.next().await {
        body.extend_from_slice(&chunk.unwrap());
    }
    (response.status.as_u16(), String::from_utf8(body).unwrap())
}

#[test]
fn a_hit_is_streamed_and_saved_as_any_response() {
    let server = Server::fixed(FRESH);
    let fetcher = server.fetcher(&cache());
    for _ in 0..2 {
        assert_eq!(block_on(streamed(&fetcher)), (200, "1".to_owned()));
        let response = get(&fetcher, request().save(Arc::new(Texts)));
        assert_eq!((&*saved(&response), response.bytes), ("2001", 1));
    }
    assert_eq!(server.count(), 1);
}

#[test]
fn a_stale_response_replaces_an_error_however_it_is_delivered() {
    for is_refused in [true, false] {
        let server = Server::new(move |_, n| match (n, is_refused) {
            (1, _) => respond(200, STALE, "stored"),
            (_, true) => refuse(),
            (_, false) => respond(503, &[], "busy"),
        });
        let cache = cache();
        let fetcher = server.fetcher(&cache);
        get(&fetcher, request());
        let (body, status) = told(&get(&fetcher, request()));
        assert_eq!(body, "stored");
        assert!(status.ends_with("ttl=0; detail=stale-if-error"), "{status}");
        assert_eq!(block_on(streamed(&fetcher)), (200, "stored".to_owned()));
        let response = get(&fetcher, request().save(Arc::new(Texts)));
        assert_eq!(saved(&response), "200stored");
        assert_eq!((server.count(), cache.stats().stale), (4, 3));
        // Not if the caller wants a new one.
        let outcome = block_on(fetcher.fetch(request().cache_mode(CacheMode::NoCache)));
        assert!(!outcome.is_success());
    }
}
