//! Certificates of a site and its clients.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
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
    /// Good, but of version 1 of X.509, as old tools create it. The authority's signature of it is
    /// invalid.
    Version1,
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
        tls12_only: bool,
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
        let versions = match tls12_only {
            true => vec![&rustls::version::TLS12],
            false => rustls::DEFAULT_VERSIONS.to_vec(),
        };
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions)
            .and_then(|builder| {
                let builder = builder.with_client_cert_verifier(clients);
                let key = provider.key_provider.load_private_key(key)?;
                // Certificates of version 1 are not checked against their key.
                let certified = CertifiedKey::new(chain, key);
                Ok(builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified))))
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
    let certificate: CertificateDer<'static> = own.signed_by(&key, &issuer)?.into();
    let certificate = match kind {
        Certificate::Version1 => version1(&certificate).into(),
        _ => certificate,
    };
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
        chain: vec![certificate],
        key,
    })
}

/// The certificate without its version and extensions, which version 1 does not have.
fn version1(certificate: &[u8]) -> Vec<u8> {
    let (body, _) = der_element(certificate);
    let (fields, signature) = der_element(body);
    let (mut kept, mut fields) = (Vec::new(), fields);
    while let Some(tag) = fields.first() {
        let (_, rest) = der_element(fields);
        if !matches!(tag, 0xa0 | 0xa3) {
            kept.extend_from_slice(&fields[..fields.len() - rest.len()]);
        }
        fields = rest;
    }
    let mut body = der_sequence(&kept);
    body.extend_from_slice(signature);
    der_sequence(&body)
}

/// The content of the DER element at the start of `bytes`, and what follows it.
fn der_element(bytes: &[u8]) -> (&[u8], &[u8]) {
    let digits = usize::from(bytes[1].saturating_sub(0x80));
    let add = |length, digit: &u8| length << 8 | usize::from(*digit);
    let length = match digits {
        0 => usize::from(bytes[1]),
        _ => bytes[2..2 + digits].iter().fold(0, add),
    };
    bytes[2 + digits..].split_at(length)
}

fn der_sequence(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("certificates are short");
    let mut sequence = vec![0x30, 0x82];
    sequence.extend_from_slice(&length.to_be_bytes());
    sequence.extend_from_slice(content);
    sequence
}
