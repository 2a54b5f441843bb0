use std::net::SocketAddr;
use std::sync::Arc;

use fetch_driver::{BuildError, ClientIdentity, FailureKind, Settings};
use fetch_http::{HttpConfig, TlsOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use smol::block_on;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::client::{client_with, fetch};
use crate::raw::tokio_listener;

/// An authority that signs certificates of servers and clients.
struct TestAuthority(CertifiedIssuer<'static, KeyPair>);

impl TestAuthority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    /// Options that trust its servers.
    fn options(&self) -> TlsOptions {
        TlsOptions::new()
            .add_root_pem(self.0.pem().as_bytes())
            .unwrap()
    }

    /// A server that requires a client certificate of this authority.
    fn serve(&self) -> (SocketAddr, tokio::runtime::Runtime) {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let (certificate, key) = self.sign("127.0.0.1");
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (runtime, listener, addr) = tokio_listener();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let mut stream = match acceptor.accept(socket).into_fallible().await {
                    Ok(stream) => stream,
                    Err((_, mut socket)) => {
                        // Closing with unread bytes would discard the alert.
                        let _ = socket.read_to_end(&mut Vec::new()).await;
                        continue;
                    }
                };
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    .await;
                let _ = stream.shutdown().await;
            }
        });
        (addr, runtime)
    }
}

#[test]
fn the_client_certificate_is_sent_on_request() {
    let authority = TestAuthority::new();
    let (addr, _runtime) = authority.serve();
    let (certificate, key) = authority.sign("me.test");
    let (cert_pem, key_pem) = (certificate.pem(), key.serialize_pem());
    let options = authority.options();
    let url = format!("https://{addr}/");
    let known = options
        .clone()
        .client_certificate(cert_pem.as_bytes(), key_pem.as_bytes())
        .unwrap();
    let (status, body) = block_on(fetch(&client_with(HttpConfig::new().tls(known)), &url)).unwrap();
    assert_eq!((status, body), (200, b"ok".to_vec()));
    let error = block_on(fetch(&client_with(HttpConfig::new().tls(options)), &url)).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Tls);
    assert!(
        error.to_string().contains("certificate required"),
        "{error}"
    );
}

#[test]
fn invalid_client_certificates_are_build_errors() {
    let authority = TestAuthority::new();
    let ((certificate, key), (_, another)) = (authority.sign("a.test"), authority.sign("b.test"));
    let (cert, key) = (certificate.pem(), key.serialize_pem());
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let cut = &key[..key.len() / 2];
    for (cert, key, words) in [
        (
            &*cert,
            &*another.serialize_pem(),
            "does not belong to the certificate",
        ),
        ("nothing", &*key, "holds no certificate"),
        (&*cert, "nothing", "holds no private key"),
        (&*cert, &*encrypted, "is encrypted"),
        (&*cert, cut, "is cut short"),
    ] {
        let mut settings = Settings::default();
        settings.tls.client_certificate = Some(ClientIdentity {
            cert_pem: cert.into(),
            key_pem: key.into(),
        });
        let error: BuildError = HttpConfig::from_settings(&settings).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("client_certificate: "), "{error}");
        assert!(error.contains(words), "{error}");
    }
}
