use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// The certificate that a site shows, signed by an authority of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Certificate {
    /// Valid for `localhost` and the site's addresses.
    Good,
    /// The same names, but expired in 2001.
    Expired,
    /// Valid in time, but for `wrong.host.invalid` alone.
    WrongHost,
}

/// What a TLS server shows and its authority's certificate.
pub(crate) struct Identity {
    pub(crate) ca_pem: String,
    pub(crate) acceptor: TlsAcceptor,
}

impl Identity {
    pub(crate) fn new(kind: Certificate, ips: &[IpAddr], http2: bool) -> io::Result<Self> {
        let (ca_pem, chain, key) = sign(kind, ips).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if http2 {
            config.alpn_protocols.insert(0, b"h2".to_vec());
        }
        Ok(Self {
            ca_pem,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }
}

type Signed = (String, Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Makes an authority and a certificate signed by it.
fn sign(kind: Certificate, ips: &[IpAddr]) -> Result<Signed, rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "fetch-testbed authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate()?;
    let ca_pem = authority.self_signed(&authority_key)?.pem();
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
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Ok((ca_pem, vec![certificate.into()], key))
}
