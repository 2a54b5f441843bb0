//! The certificate authorities of a directory: `--capath`.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crate::exit::CliError;

/// The line with which a certificate begins.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// The PEM files of a directory that have certificates. curl needs links that are named by a hash
/// (`openssl rehash`); here all files are read, and links to the same file once.
///
/// # Errors
///
/// If the directory cannot be read, or has no certificate.
pub(super) fn read(directory: &Path) -> Result<Vec<Vec<u8>>, CliError> {
    let failed = |why: String| {
        let advice = "write a directory of PEM files, or --cacert FILE";
        CliError::file(format!("--capath {}: {why}: {advice}", directory.display()))
    };
    let unreadable = |error: std::io::Error| failed(format!("cannot be read: {error}"));
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    // Broken links and the like are skipped, as in curl.
    let mut paths: Vec<_> = paths
        .iter()
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    paths.sort();
    let mut known = HashSet::new();
    let mut found = Vec::new();
    for path in paths.into_iter().filter(|path| path.is_file()) {
        let has_certificate =
            |bytes: &Vec<u8>| bytes.windows(BEGIN.len()).any(|window| window == BEGIN);
        if known.insert(path.clone()) {
            found.extend(fs::read(path).ok().filter(has_certificate));
        }
    }
    match found.is_empty() {
        true => Err(failed("has no certificate".to_owned())),
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_certificates_are_read_once_and_others_skipped() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        assert!(
            read(directory.path())
                .unwrap_err()
                .message
                .contains("has no certificate")
        );
        assert!(
            read(&path("x"))
                .unwrap_err()
                .message
                .contains("cannot be read")
        );
        let pem = [b"text\n", BEGIN, b"\n"].concat();
        fs::write(path("a.pem"), &pem).unwrap();
        fs::write(path("readme"), "no certificate").unwrap();
        fs::create_dir(path("below")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("a.pem", path("0123abcd.0")).unwrap();
        assert_eq!(read(directory.path()).unwrap(), [pem]);
    }
}
