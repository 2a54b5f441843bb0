use bytes::Bytes;
use fetch_testbed::{Certificate, Site};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::client::LONG;
use crate::tls::negotiated;

async fn connect(site: &Site) -> SendRequest<Empty<Bytes>> {
    let socket = tokio::net::TcpStream::connect(site.address())
        .await
        .unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(socket))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

async fn get(
    sender: &mut SendRequest<Empty<Bytes>>,
    target: &str,
) -> hyper::Result<Response<Incoming>> {
    let uri = format!("http://demo{target}");
    sender
        .send_request(Request::get(uri).body(Empty::new()).unwrap())
        .await
}

async fn in_flight(site: &Site, count: u64) {
    while site.observed().in_flight != count {
        tokio::task::yield_now().await;
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

#[test]
fn alpn_offers_http2_only_when_asked_to() {
    let both: &[&[u8]] = &[b"h2", b"http/1.1"];
    let builder = Site::builder().tls(Certificate::Good);
    let (old, new) = (
        builder.clone().start().unwrap(),
        builder.http2(true).start().unwrap(),
    );
    assert_eq!(negotiated(&old, both), b"http/1.1");
    assert_eq!(negotiated(&new, both), b"h2");
    assert_eq!(negotiated(&new, &[b"http/1.1"]), b"http/1.1");
}

#[test]
fn requests_share_a_connection() {
    let site = Site::builder().http2(true).start().unwrap();
    run(async {
        let mut sender = connect(&site).await;
        for length in [1_024, 1_000_000] {
            let answer = get(&mut sender, &format!("/bytes/{length}")).await.unwrap();
            assert_eq!(
                answer.into_body().collect().await.unwrap().to_bytes().len(),
                length
            );
        }
    });
    let seen = site
        .wait_for(LONG, |seen| seen.open == 0 && seen.in_flight == 0)
        .unwrap();
    assert_eq!(
        (seen.connections, seen.requests, seen.cut_by_peer),
        (1, 2, 0)
    );
    assert_eq!(seen.hosts["demo"].requests, 2);
}

#[test]
fn a_stream_given_up_ends_its_request_and_not_the_connection() {
    let site = Site::builder().http2(true).start().unwrap();
    run(async {
        let mut sender = connect(&site).await;
        let mut other = sender.clone();
        let stalled = tokio::spawn(async move { get(&mut other, "/stall").await });
        in_flight(&site, 1).await;
        stalled.abort();
        assert_eq!(get(&mut sender, "/get").await.unwrap().status(), 200);
        in_flight(&site, 0).await;
        let seen = site.observed();
        assert_eq!((seen.connections, seen.open, seen.cut_by_peer), (1, 1, 1));
    });
}

#[test]
fn a_fault_breaks_the_connection() {
    for target in [
        "/reset",
        "/reset-body",
        "/truncate",
        "/empty-reply",
        "/garbage",
    ] {
        let site = Site::builder().http2(true).start().unwrap();
        run(async {
            let mut sender = connect(&site).await;
            let result = match get(&mut sender, target).await {
                Ok(answer) => answer.into_body().collect().await.map(drop),
                Err(error) => Err(error),
            };
            assert!(result.is_err(), "{target}");
        });
        let seen = site
            .wait_for(LONG, |seen| seen.open == 0 && seen.in_flight == 0)
            .unwrap();
        assert_eq!((seen.broken, seen.cut_by_peer), (1, 0), "{target}");
    }
}
