//! Files that are written whole or not at all.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::exit::CliError;

/// Who may read the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Readers {
    /// Whoever the user's mask lets.
    Others,
    Owner,
}

/// A file that an option names, to be written at the end.
#[derive(Clone, Debug)]
pub(crate) struct Replaced {
    option: &'static str,
    path: PathBuf,
}

impl Replaced {
    /// Looks, before anything is begun, whether a file can be there.
    ///
    /// # Errors
    ///
    /// If there is no such directory, or the path names one.
    pub(crate) fn new(option: &'static str, path: PathBuf) -> Result<Self, CliError> {
        let can_be = path.as_os_str() != "-" && !path.is_dir() && directory(&path).is_dir();
        match can_be {
            true => Ok(Self { option, path }),
            false => Err(CliError::usage(format!(
                "{option} {}: no file can be written there: name one in a directory that exists",
                path.display()
            ))),
        }
    }

    /// Puts these bytes in its place. What is no file, such as /dev/null, stays what it is and is
    /// written to, and a link stays a link.
    ///
    /// # Errors
    ///
    /// If they cannot be written: then it is as it was.
    pub(crate) fn write(&self, bytes: &[u8], readers: Readers) -> Result<(), CliError> {
        replace(&self.path, bytes, readers).map_err(|error| {
            let (option, path) = (self.option, self.path.display());
            CliError::file(format!("{option} {path}: cannot be written: {error}"))
        })
    }
}

fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if path.exists() && !path.is_file() {
        return fs::OpenOptions::new()
            .write(true)
            .open(path)?
            .write_all(bytes);
    }
    let mut builder = tempfile::Builder::new();
    if let Some(permissions) = permissions(readers) {
        builder.permissions(permissions);
    }
    let mut file = builder.tempfile_in(directory(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// By default a temporary file is its owner's alone.
#[cfg(unix)]
fn permissions(readers: Readers) -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    (readers == Readers::Others).then(|| Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn permissions(_: Readers) -> Option<Permissions> {
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
    fn a_link_stays_one_and_what_is_no_file_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (link, null) = (dir.path().join("link"), dir.path().join("null"));
        std::os::unix::fs::symlink(dir.path().join("file"), &link).unwrap();
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        fs::write(dir.path().join("file"), "old").unwrap();
        for path in [&link, &null] {
            let file = Replaced::new("--x", path.clone()).unwrap();
            file.write(b"new", Readers::Owner).unwrap();
            assert!(path.is_symlink(), "{path:?}");
        }
        assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"new");
        assert!(!null.is_file());
    }

    #[test]
    fn a_file_is_replaced_and_only_where_one_can_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = Replaced::new("--x", path.clone()).unwrap();
        for (bytes, readers) in [(&b"one"[..], Readers::Others), (b"two", Readers::Owner)] {
            file.write(bytes, readers).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = fs::metadata(&path).unwrap().permissions().mode();
                assert_eq!(mode & 0o400, 0o400);
                assert!(readers == Readers::Others || mode & 0o077 == 0, "{mode:o}");
            }
        }
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "nothing else stays"
        );
        for wrong in [dir.path().to_owned(), "-".into(), "/none/x".into()] {
            let error = Replaced::new("--x", wrong).unwrap_err().message;
            assert!(
                error.starts_with("--x ") && error.contains("directory that exists"),
                "{error}"
            );
        }
    }
}
