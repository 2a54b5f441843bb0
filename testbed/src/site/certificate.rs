//! Certificates of a site and its clients.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// Kind of a site's certificate. It is signed by a separate authority for each site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Certificate {
    /// Valid for `localhost` and the site's addresses.
    Good,
    /// Valid for the same names, but expired in 2001.
    Expired,
    /// Not expired, but valid for `wrong.host.invalid` only.
    WrongHost,
}

/// PEM texts for clients: the authority's certificate, a client certificate and its key.
#[derive(Debug)]
pub(crate) struct CertificatePem {
    pub(crate) ca: String,
    pub(crate) client: String,
    pub(crate) client_key: String,
    /// The public key of the site.
    pub(crate) public_key: String,
}

/// The TLS acceptor of a site, and the PEM texts for its clients.
pub(crate) struct ServerIdentity {
    pub(crate) pem: CertificatePem,
    pub(crate) acceptor: TlsAcceptor,
}

impl ServerIdentity {
    pub(crate) fn new(
        kind: Certificate,
        ips: &[IpAddr],
        http2: bool,
        asks: bool,
    ) -> io::Result<Self> {
        let SignedCertificates {
            ca,
            pem,
            chain,
            key,
        } = sign(kind, ips).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(ca).map_err(io::Error::other)?;
            WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
                .build()
                .map_err(io::Error::other)?
        } else {
            WebPkiClientVerifier::no_client_auth()
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                let builder = builder.with_client_cert_verifier(clients);
                builder.with_single_cert(chain, key)
            })
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if http2 {
            config.alpn_protocols.insert(0, b"h2".to_vec());
        }
        Ok(Self {
            pem,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }
}

struct SignedCertificates {
    ca: CertificateDer<'static>,
    pem: CertificatePem,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Creates an authority and two certificates signed by it: the site's and a client's.
fn sign(kind: Certificate, ips: &[IpAddr]) -> Result<SignedCertificates, rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "fetch-testbed authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate()?;
    let ca = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let names = match kind {
        Certificate::WrongHost => vec!["wrong.host.invalid".to_owned()],
        _ => ips
            .iter()
            .map(IpAddr::to_string)
            .chain(["localhost".to_owned()])
            .collect(),
    };
    let mut own = CertificateParams::new(names)?;
    own.distinguished_name
        .push(DnType::CommonName, "fetch-testbed");
    if kind == Certificate::Expired {
        own.not_before = date_time_ymd(2000, 1, 1);
        own.not_after = date_time_ymd(2001, 1, 1);
    }
    let key = KeyPair::generate()?;
    let certificate = own.signed_by(&key, &issuer)?;
    let public_key = key.public_key_pem();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let client_key = KeyPair::generate()?;
    let client = CertificateParams::new(["client.test".to_owned()])?;
    let client = client.signed_by(&client_key, &issuer)?;
    Ok(SignedCertificates {
        pem: CertificatePem {
            ca: ca.pem(),
            client: client.pem(),
            client_key: client_key.serialize_pem(),
            public_key,
        },
        ca: ca.into(),
        chain: vec![certificate.into()],
        key,
    })
}
