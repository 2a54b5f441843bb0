use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fetch_driver::FailureKind;
use fetch_http::{HttpConfig, TlsOptions};
use h2::Reason;
use http::Version;
use smol::block_on;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use crate::client::{client_with, get, read_body, send};
use crate::raw::tokio_listener;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// A server that answers over HTTP/1.1 and refuses all requests over HTTP/2 with HTTP_1_1_REQUIRED.
struct Http1Server {
    addr: SocketAddr,
    http2_requests: Arc<AtomicUsize>,
    pem: String,
    _runtime: tokio::runtime::Runtime,
}

impl Http1Server {
    fn start() -> Self {
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (runtime, listener, addr) = tokio_listener();
        let http2_requests = Arc::<AtomicUsize>::default();
        let count = http2_requests.clone();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(socket).await {
                    tokio::spawn(serve(stream, count.clone()));
                }
            }
        });
        Self {
            addr,
            http2_requests,
            pem: signed.cert.pem(),
            _runtime: runtime,
        }
    }
}

async fn serve(mut stream: TlsStream<TcpStream>, http2_requests: Arc<AtomicUsize>) {
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(ANSWER).await;
        let _ = stream.shutdown().await;
        return;
    }
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        http2_requests.fetch_add(1, SeqCst);
        respond.send_reset(Reason::HTTP_1_1_REQUIRED);
    }
}

#[test]
fn a_host_that_requires_http1_gets_it_from_then_on() {
    let server = Http1Server::start();
    let tls = TlsOptions::new().add_root_pem(server.pem.as_bytes());
    let client = client_with(HttpConfig::new().tls(tls.unwrap()));
    let url = format!("https://{}/", server.addr);
    let error = block_on(send(&client, get(&url))).unwrap_err();
    assert!(
        matches!(error.kind(), FailureKind::Unprocessed { .. }),
        "{error}"
    );
    for _ in 0..3 {
        let response = block_on(send(&client, get(&url))).unwrap();
        assert_eq!(response.version, Version::HTTP_11);
        assert_eq!(block_on(read_body(response.body)).unwrap(), b"ok");
    }
    assert_eq!(server.http2_requests.load(SeqCst), 1);
}
