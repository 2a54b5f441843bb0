//! Files that are replaced atomically.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::exit::CliError;

/// The read permissions of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FileAccess {
    /// As far as the umask allows.
    Everyone,
    Owner,
}

/// A file named by an option, to be written at the end of the run.
#[derive(Clone, Debug)]
pub(crate) struct AtomicFile {
    option: &'static str,
    path: PathBuf,
}

impl AtomicFile {
    /// Checks, before the run starts, that the file can be created.
    ///
    /// # Errors
    ///
    /// If the directory does not exist, or the path is one.
    pub(crate) fn new(option: &'static str, path: PathBuf) -> Result<Self, CliError> {
        let is_possible = path.as_os_str() != "-" && !path.is_dir() && directory(&path).is_dir();
        match is_possible {
            true => Ok(Self { option, path }),
            false => Err(CliError::usage(format!(
                "{option} {}: no file can be written there: name one in a directory that exists",
                path.display()
            ))),
        }
    }

    /// Replaces the file. A device such as /dev/null is written to instead, and a link is followed.
    ///
    /// # Errors
    ///
    /// If the bytes cannot be written. The file is unchanged then.
    pub(crate) fn write(&self, bytes: &[u8], access: FileAccess) -> Result<(), CliError> {
        replace(&self.path, bytes, access).map_err(|error| {
            let (option, path) = (self.option, self.path.display());
            CliError::file(format!("{option} {path}: cannot be written: {error}"))
        })
    }
}

fn replace(path: &Path, bytes: &[u8], access: FileAccess) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if path.exists() && !path.is_file() {
        return fs::OpenOptions::new()
            .write(true)
            .open(path)?
            .write_all(bytes);
    }
    let mut builder = tempfile::Builder::new();
    if let Some(permissions) = permissions(access) {
        builder.permissions(permissions);
    }
    let mut file = builder.tempfile_in(directory(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// `None`: temporary files are readable by their owner only.
#[cfg(unix)]
fn permissions(access: FileAccess) -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    (access == FileAccess::Everyone).then(|| Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn permissions(_: FileAccess) -> Option<Permissions> {
    None
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn links_and_devices_are_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (link, null) = (dir.path().join("link"), dir.path().join("null"));
        std::os::unix::fs::symlink(dir.path().join("file"), &link).unwrap();
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        fs::write(dir.path().join("file"), "old").unwrap();
        for path in [&link, &null] {
            let file = AtomicFile::new("--x", path.clone()).unwrap();
            file.write(b"new", FileAccess::Owner).unwrap();
            assert!(path.is_symlink(), "{path:?}");
        }
        assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"new");
        assert!(!null.is_file());
    }

    #[test]
    fn a_file_is_replaced_where_possible() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = AtomicFile::new("--x", path.clone()).unwrap();
        for (bytes, access) in [
            (&b"one"[..], FileAccess::Everyone),
            (b"two", FileAccess::Owner),
        ] {
            file.write(bytes, access).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = fs::metadata(&path).unwrap().permissions().mode();
                assert_eq!(mode & 0o400, 0o400);
                assert!(
                    access == FileAccess::Everyone || mode & 0o077 == 0,
                    "{mode:o}"
                );
            }
        }
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "no temporary file is left"
        );
        for wrong in [dir.path().to_owned(), "-".into(), "/none/x".into()] {
            let error = AtomicFile::new("--x", wrong).unwrap_err().message;
            assert!(
                error.starts_with("--x ") && error.contains("directory that exists"),
                "{error}"
            );
        }
    }
}
