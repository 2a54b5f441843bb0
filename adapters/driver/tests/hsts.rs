//! Hosts that demand https.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fetch_driver::{
    Builder, HstsStore, IncomingResponse, OutgoingRequest, TransportError, TransportOverride,
    transport_fn,
};
use fetch_smol::{Smol, stream};
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};

#[test]
fn requests_and_redirects_to_hosts_that_demand_https_are_upgraded() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = sent.clone();
    let transport = transport_fn(move |request: OutgoingRequest, _| {
        let url = request.url.to_string();
        let mut headers = HeaderMap::new();
        let age = HeaderValue::from_static("max-age=60");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, age);
        // Bytes that are not ASCII come back to the server as they are.
        let target = HeaderValue::from_bytes(b"http://a.test/caf\xe9").unwrap();
        headers.insert(header::LOCATION, target);
        let status = match url.ends_with("/redirect") {
            true => StatusCode::FOUND,
            false => StatusCode::OK,
        };
        seen.lock().unwrap().push(url);
        let body = stream::empty::<Result<Bytes, TransportError>>();
        std::future::ready(Ok(IncomingResponse::new(
            status,
            Version::HTTP_11,
            headers,
            body,
        )))
    });
    let hosts = HstsStore::new();
    let fetcher = Builder::new(TransportOverride::new(Smol::default(), transport))
        .settings(|settings| settings.hsts = Some(hosts.clone()))
        .build()
        .unwrap();
    smol::block_on(async {
        fetcher.fetch("http://a.test/plain").await;
        assert!(hosts.hosts().is_empty(), "http responses do not count");
        fetcher.fetch("https://a.test/secure").await;
        let outcome = fetcher.fetch("http://a.test/redirect").await;
        let response = outcome.result.unwrap();
        assert_eq!(response.url.as_str(), "https://a.test/caf%E9");
        assert_eq!(outcome.url, "http://a.test/redirect");
    });
    let expected = [
        "http://a.test/plain",
        "https://a.test/secure",
        "https://a.test/redirect",
        "https://a.test/caf%E9",
    ];
    assert_eq!(*sent.lock().unwrap(), expected);
}
