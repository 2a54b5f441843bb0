//! TLS without checks of the server's certificate.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, PeerIncompatible, SignatureScheme};

/// Accepts every certificate, but still verifies that the server owns its key. Only the key is read from
/// the certificate, so its version, names, dates and extensions do not matter.
#[derive(Debug)]
pub(super) struct AcceptAnyCertificate(pub(super) Arc<CryptoProvider>);

impl AcceptAnyCertificate {
    /// Verifies a signature of the handshake. A scheme of TLS 1.3 has one algorithm, one of TLS 1.2 has
    /// several.
    fn verify(
        &self,
        message: &[u8],
        certificate: &[u8],
        signed: &DigitallySignedStruct,
        max_algorithms: usize,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let encoding = CertificateError::BadEncoding;
        let key = public_key(certificate).ok_or(encoding)?;
        let schemes = self.0.signature_verification_algorithms.mapping.iter();
        let of_scheme = schemes.filter(|(scheme, _)| *scheme == signed.scheme);
        let mut algorithms = of_scheme.flat_map(|(_, all)| all.iter().take(max_algorithms));
        let algorithm = algorithms.find(|a| a.public_key_alg_id().as_ref() == key.algorithm);
        let algorithm = algorithm.ok_or(PeerIncompatible::NoSignatureSchemesInCommon)?;
        algorithm
            .verify_signature(key.bits, message, signed.signature())
            .map_err(|_| CertificateError::BadSignature)?;
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for AcceptAnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify(message, certificate, signed, usize::MAX)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify(message, certificate, signed, 1)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The key of a certificate (RFC 5280, section 4.1).
#[derive(Debug, Eq, PartialEq)]
pub(super) struct PublicKey<'a> {
    /// The content of `AlgorithmIdentifier`.
    algorithm: &'a [u8],
    bits: &'a [u8],
    /// The whole `SubjectPublicKeyInfo`.
    pub(super) der: &'a [u8],
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
/// The version, which certificates of version 1 do not have.
const VERSION: u8 = 0xa0;
/// Serial number, signature algorithm, issuer, validity and subject.
const FIELDS_BEFORE_KEY: usize = 5;

/// The key of a certificate of any version; `None` if it is not valid DER.
pub(super) fn public_key(certificate: &[u8]) -> Option<PublicKey<'_>> {
    let (body, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(body, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        (_, fields) = any_element(fields)?;
    }
    for _ in 0..FIELDS_BEFORE_KEY {
        (_, fields) = any_element(fields)?;
    }
    let (info, behind) = element(fields, SEQUENCE)?;
    let der = &fields[..fields.len() - behind.len()];
    let (algorithm, rest) = element(info, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    // The first byte is the number of unused bits.
    let bits = bits.strip_prefix(&[0])?;
    Some(PublicKey {
        algorithm,
        bits,
        der,
    })
}

/// The content of the DER element with this tag at the start of `bytes`, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    any_element(bytes).filter(|_| bytes[0] == tag)
}

/// The content of the DER element at the start of `bytes`, and what follows it.
fn any_element(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [_, length, rest @ ..] = bytes else {
        return None;
    };
    let (length, rest) = match *length {
        short @ ..0x80 => (usize::from(short), rest),
        // No certificate is longer than 64 KiB in practice, and TLS allows 16 MiB.
        long => {
            let digits = usize::from(long & 0x7f);
            if !(1..=3).contains(&digits) {
                return None;
            }
            let (digits, rest) = rest.split_at_checked(digits)?;
            let add = |length, digit: &u8| length << 8 | usize::from(*digit);
            (digits.iter().fold(0, add), rest)
        }
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_certificates_have_no_key() {
        let part = |tag: u8, content: &[u8]| {
            let mut part = vec![tag, u8::try_from(content.len()).unwrap()];
            part.extend_from_slice(content);
            part
        };
        let key = part(
            SEQUENCE,
            &[part(SEQUENCE, b"alg"), part(BIT_STRING, b"\0bits")].concat(),
        );
        let fields = [part(0x02, b"1"), part(SEQUENCE, b""), part(SEQUENCE, b"")].concat();
        let fields = [
            fields,
            part(SEQUENCE, b""),
            part(SEQUENCE, b""),
            key.clone(),
        ]
        .concat();
        let expected = Some(PublicKey {
            algorithm: b"alg",
            bits: b"bits",
            der: &key,
        });
        for version in [vec![], part(VERSION, b"\x02\x01\x02")] {
            let tbs = part(SEQUENCE, &[version, fields.clone()].concat());
            let certificate = part(SEQUENCE, &tbs);
            assert_eq!(public_key(&certificate), expected);
            for cut in 0..certificate.len() {
                assert_eq!(public_key(&certificate[..cut]), None, "{cut}");
            }
        }
        for bytes in [
            &[SEQUENCE, 0x80][..],
            &[SEQUENCE, 0x84, 0, 0, 0, 0],
            &[SEQUENCE, 0xff],
            b"",
        ] {
            assert_eq!(public_key(bytes), None);
        }
    }
}
