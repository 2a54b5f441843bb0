//! A file as a body.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_lite::stream;

use crate::model::request::BodySource;
use crate::transport::message::BodyStream;

/// The most bytes that are read at once.
const CHUNK: u64 = 64 << 10;

/// A file as a request body, or as the content of a form's [`Part`](crate::Part). Each attempt reads it
/// from its beginning, on a thread that may block (crate `blocking`), in pieces of 64 KiB.
///
/// As many bytes are sent as the file had when it was opened. If it has become shorter, the request fails.
#[derive(Clone, Debug)]
pub struct FileBody {
    length: u64,
    /// The position of the first byte that is sent.
    offset: u64,
    path: PathBuf,
}

impl FileBody {
    /// The file at `path`, of which this reads the length. The file itself is opened for each attempt.
    ///
    /// ```
    /// use fetch_driver::{BodySource, FileBody};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes.txt");
    /// # std::fs::write(&path, "abc")?;
    /// assert_eq!(FileBody::open(path)?.length(), Some(3));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If it cannot be opened, or is a directory, or a pipe or a device, which cannot be read twice. The
    /// error names the path.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        match Self::checked_length(&path) {
            Ok(length) => Ok(Self {
                length,
                offset: 0,
                path,
            }),
            Err(error) => {
                let text = format!("{}: cannot be read: {error}", path.display());
                Err(io::Error::new(error.kind(), text))
            }
        }
    }

    /// The same file without its next `bytes` bytes, such as those that the server has already. Default: 0.
    ///
    /// ```
    /// use fetch_driver::{BodySource, FileBody};
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes.txt");
    /// # std::fs::write(&path, "abc")?;
    /// assert_eq!(FileBody::open(&path)?.skip(1).length(), Some(2));
    /// assert_eq!(FileBody::open(path)?.skip(9).length(), Some(0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn skip(mut self, bytes: u64) -> Self {
        let skipped = bytes.min(self.length);
        self.offset += skipped;
        self.length -= skipped;
        self
    }

    fn checked_length(path: &Path) -> io::Result<u64> {
        // Opening a pipe would wait for its other end.
        let meta = fs::metadata(path)?;
        if meta.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !meta.is_file() {
            let why = "it is no regular file, so it cannot be read again for another attempt";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        File::open(path)?;
        Ok(meta.len())
    }
}

impl BodySource for FileBody {
    fn length(&self) -> Option<u64> {
        Some(self.length)
    }

    fn open(&self) -> BodyStream {
        let reader = FileReader {
            file: None,
            left: self.length,
            offset: self.offset,
            path: self.path.clone(),
        };
        Box::pin(stream::try_unfold(reader, |mut reader| async {
            if reader.left == 0 {
                return Ok(None);
            }
            let (piece, reader) = blocking::unblock(move || (reader.next(), reader)).await;
            Ok(Some((piece?, reader)))
        }))
    }
}

struct FileReader {
    file: Option<File>,
    left: u64,
    /// The position of the first byte.
    offset: u64,
    path: PathBuf,
}

impl FileReader {
    fn next(&mut self) -> io::Result<Bytes> {
        let path = &self.path;
        let failed = |error: io::Error| {
            let text = format!("{}: cannot be read: {error}", path.display());
            io::Error::new(error.kind(), text)
        };
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut file = File::open(path).map_err(failed)?;
                file.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
                none.insert(file)
            }
        };
        let mut piece = Vec::new();
        let read = file.take(self.left.min(CHUNK)).read_to_end(&mut piece);
        read.map_err(failed)?;
        if piece.is_empty() {
            let text = format!("{}: is shorter than before it was sent", path.display());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.left -= piece.len() as u64;
        Ok(piece.into())
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::StreamExt;
    use futures_lite::future::block_on;

    use super::*;

    fn read(body: &FileBody) -> Result<Vec<u8>, String> {
        let pieces: Result<Vec<Bytes>, _> = block_on(BodySource::open(body).try_collect());
        pieces
            .map(|all| all.concat())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn each_attempt_reads_as_many_bytes_as_the_file_had() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let content: Vec<u8> = (0..CHUNK * 2 + 5).map(|n| n as u8).collect();
        fs::write(&path, &content).unwrap();
        let body = FileBody::open(&path).unwrap();
        assert_eq!(read(&body), Ok(content.clone()));
        fs::write(&path, [&content[..], b"more"].concat()).unwrap();
        assert_eq!(read(&body), Ok(content.clone()));
        let rest = body.clone().skip(CHUNK).skip(7);
        assert_eq!(read(&rest), Ok(content[CHUNK as usize + 7..].to_vec()));
        fs::write(&path, "short").unwrap();
        assert!(read(&body).unwrap_err().contains("shorter"));
        fs::remove_file(&path).unwrap();
        assert!(read(&body).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn what_cannot_be_read_twice_is_refused_with_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        for (path, part) in [
            (directory.path(), "directory"),
            (&missing, "missing: cannot be read"),
            #[cfg(unix)]
            (Path::new("/dev/null"), "no regular file"),
        ] {
            let error = FileBody::open(path).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
