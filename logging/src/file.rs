//! A log file that is rotated by size.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The open file, and its limits.
///
/// Only one process may use it: another one would continue to write to a rotated file.
pub(crate) struct RotatingFile {
    path: PathBuf,
    file: File,
    len: u64,
    /// 0 never rotates.
    max_len: u64,
    rotated_files: u8,
}

impl RotatingFile {
    /// Opens the file to append, and creates it and its directories if they are missing.
    pub(crate) fn open(path: &Path, max_len: u64, rotated_files: u8) -> io::Result<Self> {
        let opened = create_parent(path)
            .and_then(|()| append_to(path))
            .and_then(|file| {
                let metadata = file.metadata()?;
                // A device or pipe has no size, and must not be renamed.
                let max_len = if metadata.is_file() { max_len } else { 0 };
                Ok(Self {
                    path: path.to_owned(),
                    file,
                    len: metadata.len(),
                    max_len,
                    rotated_files,
                })
            });
        opened.map_err(|error| {
            let reason = if path.is_dir() {
                "it is a directory".into()
            } else {
                error.to_string()
            };
            let advice = advice(path, error.kind());
            let text = format!("cannot open the log file {path:?}: {reason}; {advice}");
            io::Error::new(error.kind(), text)
        })
    }

    /// Appends a line, and rotates the file before if it would exceed the size.
    ///
    /// After a failed rotation the line is written to the old file, and then the error is returned.
    pub(crate) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let line_len = line.len() as u64;
        let is_full = self.max_len > 0 && self.len > 0 && self.len + line_len > self.max_len;
        let rotated = if is_full { self.rotate() } else { Ok(()) };
        self.file
            .write_all(line)
            .map_err(|error| self.with_context("write", &error))?;
        self.len += line_len;
        rotated.map_err(|error| self.with_context("rotate", &error))
    }

    fn rotate(&mut self) -> io::Result<()> {
        // Reset even if the rotation fails, so that it is not attempted again at every line.
        self.len = 0;
        if self.rotated_files == 0 {
            return self.file.set_len(0);
        }
        for number in (1..self.rotated_files).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, self.numbered(1))?;
        self.file = append_to(&self.path)?;
        Ok(())
    }

    fn numbered(&self, number: u8) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        name.into()
    }

    fn with_context(&self, action: &str, error: &io::Error) -> io::Error {
        io::Error::new(
            error.kind(),
            format!("cannot {action} the log file {:?}: {error}", self.path),
        )
    }
}

fn create_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn advice(path: &Path, kind: ErrorKind) -> &'static str {
    if path.is_dir() || path.as_os_str().is_empty() {
        return "give the path of a file";
    }
    match kind {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "choose a place this user may write to, or change its permissions"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a part of the path is a file, not a directory: choose another path"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space or choose another disk"
        }
        _ => "choose another path, or leave file logging off",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::{TempDir, tempdir};

    fn log_in(dir: &TempDir, max_len: u64, rotated_files: u8) -> RotatingFile {
        RotatingFile::open(&dir.path().join("app.log"), max_len, rotated_files).unwrap()
    }

    fn names(dir: &TempDir) -> Vec<String> {
        let entries = fs::read_dir(dir.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn read(dir: &TempDir, name: &str) -> String {
        fs::read_to_string(dir.path().join(name)).unwrap()
    }

    fn open_error(path: &Path) -> String {
        RotatingFile::open(path, 1, 1).err().unwrap().to_string()
    }

    #[test]
    fn a_full_file_is_rotated_and_the_oldest_removed() {
        let dir = tempdir().unwrap();
        let mut log = log_in(&dir, 4, 2);
        for line in ["1\n", "2\n", "3\n", "4\n", "5\n", "6\n", "7\n"] {
            log.write_line(line.as_bytes()).unwrap();
        }
        assert_eq!(names(&dir), ["app.log", "app.log.1", "app.log.2"]);
        assert_eq!(read(&dir, "app.log"), "7\n");
        assert_eq!(read(&dir, "app.log.1"), "5\n6\n");
        assert_eq!(read(&dir, "app.log.2"), "3\n4\n");
    }

    #[test]
    fn a_line_longer_than_the_limit_is_not_split() {
        let dir = tempdir().unwrap();
        let mut log = log_in(&dir, 4, 5);
        log.write_line(b"longer than four\n").unwrap();
        log.write_line(b"x\n").unwrap();
        assert_eq!(read(&dir, "app.log.1"), "longer than four\n");
        assert_eq!(read(&dir, "app.log"), "x\n");
    }

    #[test]
    fn a_later_run_appends_and_counts_existing_bytes() {
        let dir = tempdir().unwrap();
        log_in(&dir, 4, 5).write_line(b"1\n").unwrap();
        log_in(&dir, 4, 5).write_line(b"2\n").unwrap();
        assert_eq!(read(&dir, "app.log"), "1\n2\n");
        log_in(&dir, 4, 5).write_line(b"3\n").unwrap();
        assert_eq!(
            (read(&dir, "app.log.1"), read(&dir, "app.log")),
            ("1\n2\n".into(), "3\n".into())
        );
    }

    #[test]
    fn without_rotated_files_the_file_is_truncated() {
        let dir = tempdir().unwrap();
        let mut log = log_in(&dir, 2, 0);
        log.write_line(b"1\n").unwrap();
        log.write_line(b"2\n").unwrap();
        assert_eq!(
            (names(&dir).len(), read(&dir, "app.log")),
            (1, "2\n".into())
        );
    }

    #[test]
    fn size_zero_never_rotates() {
        let dir = tempdir().unwrap();
        let mut log = log_in(&dir, 0, 5);
        for _ in 0..100 {
            log.write_line(b"line\n").unwrap();
        }
        assert_eq!((names(&dir).len(), read(&dir, "app.log").len()), (1, 500));
    }

    #[test]
    fn a_failed_rotation_is_reported_and_loses_no_line() {
        let dir = tempdir().unwrap();
        fs::create_dir_all(dir.path().join("app.log.1/in the way")).unwrap();
        let mut log = log_in(&dir, 4, 1);
        log.write_line(b"1\n2\n").unwrap();
        let error = log.write_line(b"3\n").unwrap_err().to_string();
        assert!(
            error.contains("cannot rotate") && error.contains("app.log"),
            "{error}"
        );
        log.write_line(b"4\n").unwrap();
        assert_eq!(read(&dir, "app.log"), "1\n2\n3\n4\n");
    }

    #[test]
    fn missing_directories_are_created() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("a/b/app.log");
        RotatingFile::open(&path, 1, 1)
            .unwrap()
            .write_line(b"x\n")
            .unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "x\n");
    }

    #[test]
    fn a_directory_or_nothing_as_path_is_a_clear_error() {
        let dir = tempdir().unwrap();
        let error = open_error(dir.path());
        assert!(error.contains(&format!("{:?}", dir.path())), "{error}");
        assert!(
            error.contains("is a directory; give the path of a file"),
            "{error}"
        );
        assert!(open_error(Path::new("")).contains("give the path of a file"));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_a_clear_error() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("taken"), "").unwrap();
        for below in ["taken/app.log", "taken/deep/app.log"] {
            let error = open_error(&dir.path().join(below));
            assert!(
                error.contains(below) && error.contains("is a file, not a directory"),
                "{error}"
            );
        }
    }

    #[test]
    fn missing_permission_has_advice() {
        let advice = advice(Path::new("x.log"), ErrorKind::PermissionDenied);
        assert!(advice.contains("may write to"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_never_renamed_and_its_errors_are_reported() {
        let mut log = RotatingFile::open(Path::new("/dev/full"), 1, 1).unwrap();
        for _ in 0..3 {
            let error = log.write_line(b"x\n").unwrap_err().to_string();
            assert!(
                error.contains("cannot write the log file \"/dev/full\""),
                "{error}"
            );
        }
        assert!(Path::new("/dev/full").exists());
    }
}
