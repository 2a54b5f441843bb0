//! A client certificate for curl, which reads it from a file only.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use fetch_driver::{BuildError, ClientIdentity};
use isahc::tls;
use nix::sys::memfd::{MFdFlags, memfd_create};

/// A certificate and its key in files that have no place on any disk, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Files {
    certificate: File,
    key: File,
}

impl Files {
    pub(crate) fn new(identity: &ClientIdentity) -> Result<Self, BuildError> {
        let file = |bytes: &[u8]| {
            let file = memfd_create(c"fetch-isahc", MFdFlags::MFD_CLOEXEC)?;
            let mut file = File::from(file);
            file.write_all(bytes).map(|()| file)
        };
        let both = file(&identity.cert_pem)
            .and_then(|certificate| Ok((certificate, file(&identity.key_pem)?)));
        let (certificate, key) = both.map_err(|error| {
            let why = format!("it cannot be handed to curl: {error}");
            BuildError::new("client_certificate", why)
        })?;
        Ok(Self { certificate, key })
    }

    /// Where isahc finds them.
    pub(crate) fn identity(&self) -> tls::Identity {
        let path = |file: &File| PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let key = tls::PrivateKey::from_pem_file(path(&self.key), None);
        tls::Identity::from_pem_file(path(&self.certificate), Some(key))
    }
}
