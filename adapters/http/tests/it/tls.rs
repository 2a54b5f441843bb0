use std::io::{Read, Write};

use fetch_driver::{Failure, Phase, Transport};
use fetch_http::{HttpConfig, TlsOptions};
use fetch_testbed::{Certificate, Site};
use smol::block_on;

use crate::client::{Client, client, failure, fetch, get, marks, read, with};
use crate::raw::Raw;

fn site(certificate: Certificate) -> Site {
    Site::builder().tls(certificate).start().unwrap()
}

fn trusting(site: &Site) -> Client {
    let options = TlsOptions::new()
        .add_root_pem(site.ca_pem().unwrap().as_bytes())
        .unwrap();
    with(HttpConfig::new().tls(options))
}

#[test]
fn a_trusted_site_is_fetched_over_one_connection() {
    let site = site(Certificate::Good);
    let client = trusting(&site);
    for path in ["/get", "/bytes/200000", "/stream-bytes/9000", "/gzip"] {
        assert_eq!(block_on(fetch(&client, &site.url(path))).unwrap().0, 200);
    }
    assert_eq!(site.observed().connections, 1);
}

#[test]
fn the_handshake_is_marked() {
    let site = site(Certificate::Good);
    let marks = marks();
    let sent = trusting(&site).send(get(&site.url("/get")), marks.clone());
    block_on(read(block_on(sent).unwrap().body)).unwrap();
    assert!(format!("{marks:?}").contains(&format!("{:?}", Phase::TlsDone)));
}

#[test]
fn certificates_that_must_not_be_trusted_are_refused_in_plain_words() {
    for (certificate, words) in [
        (Certificate::Expired, "has expired"),
        (Certificate::WrongHost, "is for another name"),
    ] {
        let site = site(certificate);
        let error = block_on(fetch(&trusting(&site), &site.url("/get"))).unwrap_err();
        assert_eq!(error.kind(), Failure::Tls);
        assert!(error.to_string().contains(words), "{error}");
    }
    let site = site(Certificate::Good);
    let error = block_on(fetch(&client(), &site.url("/get"))).unwrap_err();
    assert_eq!(error.kind(), Failure::Tls);
    assert!(error.to_string().contains("trusted authority"), "{error}");
    assert_eq!(site.observed().requests, 0);
}

#[test]
fn insecure_accepts_them_all() {
    for certificate in [
        Certificate::Good,
        Certificate::Expired,
        Certificate::WrongHost,
    ] {
        let site = site(certificate);
        let client = with(HttpConfig::new().tls(TlsOptions::new().insecure(true)));
        assert_eq!(block_on(fetch(&client, &site.url("/get"))).unwrap().0, 200);
    }
}

#[test]
fn a_server_without_tls_is_told_apart_from_one_that_hangs_up() {
    let plain = Raw::serve(|_, mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let url = plain.url("/").replace("http:", "https:");
    let error = block_on(fetch(&client(), &url)).unwrap_err();
    assert_eq!(error.kind(), Failure::Tls);
    assert!(error.to_string().contains("not TLS"), "{error}");
    let silent = Raw::serve(|_, stream| drop(stream));
    let url = silent.url("/").replace("http:", "https:");
    assert_eq!(block_on(failure(&client(), &url)), Failure::Connect);
}

#[test]
fn a_body_cut_short_without_goodbye_is_noticed() {
    let site = site(Certificate::Good);
    for path in ["/truncate", "/reset-body"] {
        assert_eq!(
            block_on(failure(&trusting(&site), &site.url(path))),
            Failure::Io,
            "{path}"
        );
    }
}
