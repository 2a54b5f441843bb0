//! TLS and certificates.

use std::net::TcpStream;
use std::sync::Arc;

use fetch_testbed::{Certificate, Site};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{BlockingClient, MAX_WAIT};

fn site(kind: Certificate) -> Site {
    Site::builder().tls(kind).start().unwrap()
}

/// Connects and trusts only the site's authority.
fn connect_tls(
    site: &Site,
    name: &'static str,
    alpn: &[&[u8]],
) -> StreamOwned<ClientConnection, TcpStream> {
    let authority = CertificateDer::from_pem_slice(site.ca_pem().unwrap().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|each| each.to_vec()).collect();
    let name = ServerName::try_from(name).unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(site.address()).unwrap();
    socket.set_read_timeout(Some(MAX_WAIT)).unwrap();
    StreamOwned::new(session, socket)
}

fn connect(
    site: &Site,
    name: &'static str,
) -> BlockingClient<StreamOwned<ClientConnection, TcpStream>> {
    BlockingClient::over(connect_tls(site, name, &[]))
}

/// Completes the handshake and returns the negotiated protocol.
pub(crate) fn negotiated_protocol(site: &Site, alpn: &[&[u8]]) -> Vec<u8> {
    let mut stream = connect_tls(site, "localhost", alpn);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream.conn.alpn_protocol().unwrap_or_default().to_vec()
}

fn verification_error(kind: Certificate) -> CertificateError {
    let site = site(kind);
    let error = connect(&site, "127.0.0.1").try_get("/get").unwrap_err();
    match error.get_ref().unwrap().downcast_ref() {
        Some(rustls::Error::InvalidCertificate(reason)) => reason.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_good_certificate_is_valid_for_the_address_and_localhost() {
    let site = site(Certificate::Good);
    for name in ["127.0.0.1", "localhost"] {
        let mut client = connect(&site, name);
        assert_eq!(client.get("/get").json()["url"], "https://demo/get");
        assert_eq!(client.get("/bytes/100000").body.len(), 100_000);
    }
    assert_eq!(site.observed().connections, 2);
}

#[test]
fn the_expired_certificate_is_refused_as_expired() {
    assert!(matches!(
        verification_error(Certificate::Expired),
        CertificateError::ExpiredContext { .. }
    ));
}

#[test]
fn the_certificate_for_another_host_is_refused() {
    let reason = verification_error(Certificate::WrongHost);
    assert!(
        matches!(reason, CertificateError::NotValidForNameContext { .. }),
        "{reason:?}"
    );
}

#[test]
fn faults_work_over_tls() {
    let site = site(Certificate::Good);
    let reset = connect(&site, "localhost").try_get("/reset").unwrap_err();
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    let garbage = connect(&site, "localhost").try_get("/garbage").unwrap_err();
    assert!(garbage.to_string().starts_with("not HTTP"), "{garbage}");
    let mut client = connect(&site, "localhost");
    client.send("GET", "/truncate", "", b"").unwrap();
    client.read_head().unwrap();
    assert_eq!(client.read_rest().0.len(), 1_024);
}

#[test]
fn an_unannounced_close_sends_close_notify() {
    let site = Site::builder()
        .tls(Certificate::Good)
        .keep_alive_requests(2)
        .start()
        .unwrap();
    let mut client = connect(&site, "localhost");
    client.get("/get");
    client.get("/bytes/50000");
    let (bytes, result) = client.read_rest();
    assert_eq!(bytes, b"");
    // Without `close_notify` rustls would report an unexpected end.
    result.unwrap();
}
