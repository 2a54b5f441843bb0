//! Files that rows name as the bodies of their requests.

use crate::display::Quoted;
use std::io;
use std::path::{Path, PathBuf};

use crate::upload::RequestPayload;

/// The directory below which lists may name files, so that a list from elsewhere cannot send others.
#[derive(Clone, Debug)]
pub(crate) struct BodyDirectory(PathBuf);

impl BodyDirectory {
    /// # Errors
    ///
    /// If it is no directory that can be read.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        std::fs::read_dir(&path)?;
        Ok(Self(path))
    }

    /// The file of this name as a body. Links that lead out of the directory are not followed.
    ///
    /// # Errors
    ///
    /// Why it is not sent.
    pub(in crate::input) fn payload(&self, name: &str) -> Result<RequestPayload, String> {
        let path = self.0.join(name).canonicalize();
        let name = Quoted(name);
        let path = path.map_err(|error| format!("body_file {name}: cannot be read: {error}"))?;
        if !path.starts_with(&self.0) || !path.is_file() {
            return Err(format!("body_file {name}: is no file below --body-dir"));
        }
        RequestPayload::file(&path, None, None)
            .map_err(|error| format!("body_file {name}: cannot be read: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_below_the_directory_are_sent() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("d");
        std::fs::create_dir_all(below.join("e")).unwrap();
        std::fs::write(below.join("e/f"), "x").unwrap();
        std::fs::write(directory.path().join("secret"), "x").unwrap();
        let bodies = BodyDirectory::open(&below).unwrap();
        assert!(bodies.payload("e/f").is_ok());
        assert!(bodies.payload("e/../e/f").is_ok());
        for (name, why) in [
            ("../secret", "no file below"),
            ("/etc/passwd", "no file below"),
            ("e", "no file below"),
            ("none", "cannot be read"),
        ] {
            let error = bodies.payload(name).unwrap_err();
            assert!(error.contains(why), "{name}: {error}");
        }
        assert!(BodyDirectory::open(&below.join("e/f")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_out_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/hostname", directory.path().join("link")).unwrap();
        let bodies = BodyDirectory::open(directory.path()).unwrap();
        assert!(bodies.payload("link").is_err());
    }
}
