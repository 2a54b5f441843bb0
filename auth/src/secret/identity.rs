//! Identifies the user of a secret, so that a cache keeps the responses of each user apart.

use fetch_proto::SecretSource;
use ring::digest::{Context, SHA256};
use zeroize::Zeroizing;

use super::{SecretKind, read_secret};

/// A digest of what distinguishes one user from another.
pub(crate) fn identity<const N: usize>(parts: [&[u8]; N]) -> Vec<u8> {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finish().as_ref().to_vec()
}

/// The secret, or, if it is a command's or cannot be read, where it is read from: a command may print
/// another token each time.
pub(crate) fn known_secret(source: &SecretSource) -> Zeroizing<Vec<u8>> {
    let read = match source {
        SecretSource::Exec(_) => None,
        _ => read_secret(source, SecretKind::Text).ok(),
    };
    match read {
        Some(read) => Zeroizing::new(read.secret.expose().into()),
        None => Zeroizing::new(source.to_string().into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_users_and_secrets_have_other_identities() {
        let directory = tempfile::tempdir().unwrap();
        let stored = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            known_secret(&SecretSource::File(path.to_str().unwrap().to_owned()))
        };
        let command = |line: &str| known_secret(&SecretSource::Exec(line.to_owned()));
        let all = [
            identity([b"alice", &stored("a", "1")]),
            identity([b"alice", &stored("a", "2")]),
            identity([b"bob", &stored("b", "1")]),
            identity([b"bob", &command("print 1")]),
            identity([b"bob", &command("print 2")]),
            identity([b"bo", b"b1"]),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        // The same secret from elsewhere is the same user's.
        assert_eq!(*stored("c", "1"), *stored("d", "1"));
    }
}
