//! What a run with `--state` needs to continue archives and to remove what stopped runs have left.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fetch_state::{ArchiveEnd, BodyLog, LoggedArchive, LoggedFile, relative_path};
use fs4::FileExt;
use ring::digest;

use super::partial::temporary_files;
use crate::display::plural;
use crate::outcome::checksum::hex;

/// An archive that a run with `--state` continues.
#[derive(Clone, Debug)]
pub(crate) struct ArchiveResume {
    pub(crate) bodies: Arc<BodyLog>,
    /// The end of the last body with a record.
    pub(crate) end: Option<ArchiveEnd>,
}

/// The logged files of an archive, compared with its end.
pub(super) struct ArchiveFiles {
    /// The last file with a body that has a record.
    pub(super) last: Option<(PathBuf, ArchiveEnd)>,
    /// Files that have only bodies without a record.
    pub(super) stale: Vec<(PathBuf, LoggedArchive)>,
}

impl ArchiveResume {
    /// The files of this archive. `first` is its first file, `number` the number of a file name.
    pub(super) fn files(
        &self,
        first: &Path,
        path: impl Fn(u32) -> PathBuf,
    ) -> io::Result<ArchiveFiles> {
        let directory = self.bodies.directory();
        let parent = relative_path(directory, first)?;
        let parent = parent.parent().unwrap_or_else(|| Path::new(""));
        let number = |logged: &LoggedArchive| {
            let name = logged.path.file_name()?;
            let digits: String = name
                .to_str()?
                .chars()
                .filter(char::is_ascii_digit)
                .collect();
            // Names end with at most five digits of the number; the first file may have none.
            let tails = (0..=digits.len().min(9)).map(|n| &digits[digits.len() - n..]);
            let mut numbers = tails.map(|tail| tail.parse().unwrap_or(0));
            numbers.find(|number| {
                path(*number).file_name() == Some(name) && logged.path.parent() == Some(parent)
            })
        };
        let mut stale = Vec::new();
        for logged in self.bodies.archives() {
            match (number(&logged), self.end) {
                (None, _) => {}
                (Some(number), Some(end)) if number <= end.file => {}
                (Some(number), _) => stale.push((path(number), logged)),
            }
        }
        Ok(ArchiveFiles {
            last: self.end.map(|end| (path(end.file), end)),
            stale,
        })
    }

    /// Logs a file that was just created, before anything is written to it.
    pub(super) fn log(&self, path: &Path, file: &File) -> io::Result<()> {
        self.bodies.add_archive(LoggedArchive {
            path: relative_path(self.bodies.directory(), path)?,
            inode: inode(file)?,
        })
    }

    /// Forgets files that were removed.
    pub(super) fn forget(&self, stale: &[(PathBuf, LoggedArchive)]) -> io::Result<()> {
        let is_stale = |file: &LoggedArchive| stale.iter().any(|(_, stale)| stale == file);
        self.bodies.retain_archives(|file| !is_stale(file))
    }
}

/// Removes a file of an archive, unless another file has its name now. Returns its size.
pub(super) fn remove_stale(path: &Path, logged: &LoggedArchive) -> io::Result<u64> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file?,
    };
    if logged.inode.is_some() && inode(&file)? != logged.inode {
        return Ok(0);
    }
    let length = file.metadata()?.len();
    fs::remove_file(path)?;
    Ok(length)
}

/// Opens a file of an archive and cuts it; returns the number of bytes that were removed. `None` if it
/// does not exist.
pub(super) fn cut(path: &Path, length: u64) -> Result<Option<(File, u64)>, String> {
    let named = |error: io::Error| format!("{}: cannot be continued: {error}", path.display());
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(named)?,
    };
    let before = file.metadata().map_err(named)?.len();
    if before < length {
        return Err(format!(
            "{}: is shorter ({before} bytes) than it was ({length} by --state): restore it, or use \
             another name and another --state",
            path.display()
        ));
    }
    file.set_len(length)
        .and_then(|()| file.seek(SeekFrom::Start(length)))
        .and_then(|_| file.sync_data())
        .map_err(named)?;
    Ok(Some((file, before - length)))
}

/// The message about bytes that were removed from an archive.
pub(super) fn cut_note(option: &str, path: &Path, bytes: u64) -> String {
    let path = path.display();
    let bytes = plural(bytes, "byte", "bytes");
    format!("{option} {path}: removed {bytes} without a record; their URLs are fetched again")
}

#[cfg(unix)]
fn inode(file: &File) -> io::Result<Option<u64>> {
    use std::os::unix::fs::MetadataExt;
    Ok(Some(file.metadata()?.ino()))
}

#[cfg(not(unix))]
fn inode(_: &File) -> io::Result<Option<u64>> {
    Ok(None)
}

/// Removes the files of bodies that stopped runs have saved without a record; returns their number.
/// Directories below `root` that are empty then are removed, too.
pub(crate) fn remove_uncommitted(bodies: &BodyLog, root: Option<&Path>) -> io::Result<u64> {
    let files = bodies.uncommitted_files()?;
    if files.is_empty() {
        return Ok(0);
    }
    let root = root.and_then(|root| root.canonicalize().ok());
    let mut removed = 0;
    for file in files {
        let path = bodies.directory().join(&file.path);
        if !is_same(&path, &file) {
            continue;
        }
        fs::remove_file(&path)?;
        removed += 1;
        let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
        let mut parent = parent.as_deref();
        while let (Some(directory), Some(root)) = (parent, &root) {
            // Fails unless it is empty.
            if directory == root
                || !directory.starts_with(root)
                || fs::remove_dir(directory).is_err()
            {
                break;
            }
            parent = directory.parent();
        }
    }
    bodies.forget_files()?;
    Ok(removed)
}

/// Whether the file has the bytes of the body that was logged: another file may have its name now.
fn is_same(path: &Path, logged: &LoggedFile) -> bool {
    let has_size =
        fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == logged.size);
    has_size && file_digest(path).is_ok_and(|digest| digest == logged.digest)
}

fn file_digest(path: &Path) -> io::Result<String> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0; 64 << 10]);
    let mut context = digest::Context::new(&digest::SHA256);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(context.finish().as_ref())),
            read => context.update(&buffer[..read]),
        }
    }
}

/// The use of a directory for temporary files, until it is dropped.
#[derive(Debug)]
pub(super) struct DirectoryUse {
    _lock: Option<File>,
}

impl DirectoryUse {
    /// Starts to use a directory. `clean` removes the temporary files of killed runs; its argument is
    /// whether no other run uses the directory.
    pub(super) fn start<T>(directory: &Path, clean: impl FnOnce(bool) -> T) -> (Self, T) {
        // Directories cannot be opened on Windows, nor locked on some network file systems.
        let lock = File::open(directory).ok();
        let is_alone = lock
            .as_ref()
            .is_some_and(|lock| FileExt::try_lock(lock).is_ok());
        let cleaned = clean(is_alone);
        let lock = lock.filter(|lock| FileExt::lock_shared(lock).is_ok());
        (Self { _lock: lock }, cleaned)
    }
}

/// Removes all temporary files in a directory.
pub(super) fn remove_temporary(directory: &Path) {
    for name in temporary_files(directory) {
        // An error only leaves the file behind.
        let _ = fs::remove_file(directory.join(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_of_dead_runs_are_removed_and_those_of_live_runs_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join(".fetch-all-x.part");
        let other = dir.path().join("x.part");
        fs::write(&part, "half").unwrap();
        fs::write(&other, "mine").unwrap();
        let start = || {
            let clean = |is_alone| {
                if is_alone {
                    remove_temporary(dir.path());
                }
            };
            DirectoryUse::start(dir.path(), clean).0
        };
        let first = start();
        assert!(!part.exists() && other.exists());
        fs::write(&part, "half").unwrap();
        let second = start();
        assert!(part.exists(), "another run uses the directory");
        drop((first, second));
        drop(start());
        assert!(!part.exists());
    }
}
