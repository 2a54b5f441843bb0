//! The keys of `--pinnedpubkey`.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use ring::digest::{SHA256, digest};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

use crate::exit::CliError;

/// The prefix of a digest.
const DIGEST: &str = "sha256//";

/// The first byte of a key in DER: a sequence.
const DER_SEQUENCE: u8 = 0x30;

/// The SHA-256 digests of public keys: given as such, separated by semicolons, or that of the key in a
/// file in PEM or DER.
///
/// # Errors
///
/// If the file cannot be used, or a digest is not one.
pub(super) fn pinned_keys(value: &str) -> Result<Vec<[u8; 32]>, CliError> {
    if value.starts_with(DIGEST) {
        let digests = value.split(';').map(|text| {
            let encoded = text.trim().strip_prefix(DIGEST)?;
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(encoded)
                .ok()?;
            bytes.try_into().ok()
        });
        let digests: Option<_> = digests.collect();
        return digests.ok_or_else(|| {
            CliError::usage(
                "--pinnedpubkey: write sha256// and 44 characters of Base64 for each key, with semicolons \
                 between them, or the name of a file with the public key",
            )
        });
    }
    let content = fs::read(Path::new(value)).map_err(|error| {
        CliError::file(format!(
            "--pinnedpubkey {value}: cannot be read: {error}: write a file with the public key, or sha256//…"
        ))
    })?;
    let key = match content.first() {
        Some(&DER_SEQUENCE) => Some(SubjectPublicKeyInfoDer::from(content)),
        _ => SubjectPublicKeyInfoDer::from_pem_slice(&content).ok(),
    };
    let key = key.ok_or_else(|| {
        CliError::usage(format!(
            "--pinnedpubkey {value}: no public key in PEM or DER: make one with \
             openssl x509 -in CERT.pem -noout -pubkey"
        ))
    })?;
    let digest = digest(&SHA256, &key);
    Ok(vec![
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_and_files_are_read() {
        let digest = |bytes: [u8; 32]| {
            format!(
                "sha256//{}",
                base64::engine::general_purpose::STANDARD.encode(bytes)
            )
        };
        let two = format!("{};{}", digest([1; 32]), digest([2; 32]));
        assert_eq!(pinned_keys(&two).unwrap(), [[1; 32], [2; 32]]);
        let directory = tempfile::tempdir().unwrap();
        let der = [0x30, 3, 2, 1, 7];
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            base64::engine::general_purpose::STANDARD.encode(der)
        );
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("der"), der).unwrap();
        fs::write(path("pem"), pem).unwrap();
        let expected: [u8; 32] = super::digest(&SHA256, &der).as_ref().try_into().unwrap();
        for name in ["der", "pem"] {
            assert_eq!(pinned_keys(&path(name)).unwrap(), [expected], "{name}");
        }
        fs::write(path("text"), "text").unwrap();
        for wrong in ["sha256//AAAA", "sha256//", &path("none"), &path("text")] {
            assert!(pinned_keys(wrong).is_err(), "{wrong}");
        }
    }
}
