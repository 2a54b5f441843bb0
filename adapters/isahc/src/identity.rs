//! Client certificates for curl, which reads them only from files.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use fetch_driver::{BuildError, ClientIdentity};
use isahc::tls;
use nix::sys::memfd::{MFdFlags, memfd_create};

/// A certificate and its key in files in memory, which exist as long as this value.
#[derive(Debug)]
pub(crate) struct IdentityFiles {
    certificate: File,
    key: File,
}

impl IdentityFiles {
    pub(crate) fn new(identity: &ClientIdentity) -> Result<Self, BuildError> {
        let create = |bytes: &[u8]| {
            let file = memfd_create(c"fetch-isahc", MFdFlags::MFD_CLOEXEC)?;
            let mut file = File::from(file);
            file.write_all(bytes).map(|()| file)
        };
        let files = create(&identity.cert_pem)
            .and_then(|certificate| Ok((certificate, create(&identity.key_pem)?)));
        let (certificate, key) = files.map_err(|error| {
            let reason = format!("it cannot be handed to curl: {error}");
            BuildError::new("client_certificate", reason)
        })?;
        Ok(Self { certificate, key })
    }

    /// The paths of the files, for isahc.
    pub(crate) fn identity(&self) -> tls::Identity {
        let path = |file: &File| PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let key = tls::PrivateKey::from_pem_file(path(&self.key), None);
        tls::Identity::from_pem_file(path(&self.certificate), Some(key))
    }
}
