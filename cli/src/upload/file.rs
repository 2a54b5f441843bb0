//! A file as a part of a body.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use fetch_driver::BodyStream;
use futures_lite::stream;
use tempfile::TempPath;

/// The most bytes that are read at once.
const CHUNK: u64 = 64 << 10;

/// A file that is read again for each request.
#[derive(Clone, Debug)]
pub(crate) struct FileSegment {
    /// Its length at the start of the run: so many bytes are sent.
    length: u64,
    path: PathBuf,
    /// The file into which stdin or a pipe was copied. It is removed at the end.
    temporary: Option<Arc<TempPath>>,
}

impl FileSegment {
    /// The file at this path, or a copy of it if it can be read only once; `-` is stdin.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Self::copy(&mut io::stdin().lock());
        }
        let mut file = File::open(path)?;
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        match meta.is_file() {
            true => Ok(Self {
                length: meta.len(),
                path: path.to_owned(),
                temporary: None,
            }),
            false => Self::copy(&mut file),
        }
    }

    /// Copies the rest of a stream, so that it can be sent again.
    fn copy(reader: &mut dyn Read) -> io::Result<Self> {
        let (mut file, path) = tempfile::NamedTempFile::new()?.into_parts();
        Ok(Self {
            length: io::copy(reader, &mut file)?,
            path: path.to_path_buf(),
            temporary: Some(Arc::new(path)),
        })
    }

    /// In bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Its length, unless it comes from stdin or a pipe, which curl sends in chunked coding.
    pub(super) fn known_length(&self) -> Option<u64> {
        self.temporary.is_none().then_some(self.length)
    }

    /// All of it.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(super) fn content(&self) -> io::Result<Vec<u8>> {
        fs::read(&self.path)
    }

    /// Reads it on a thread that may block.
    pub(super) fn read(&self) -> BodyStream {
        let state = FileReader {
            file: None,
            left: self.length,
            segment: self.clone(),
        };
        Box::pin(stream::try_unfold(state, |mut state| async {
            if state.left == 0 {
                return Ok(None);
            }
            let (chunk, state) = smol::unblock(move || (state.next(), state)).await;
            Ok(Some((chunk?, state)))
        }))
    }
}

struct FileReader {
    file: Option<File>,
    left: u64,
    segment: FileSegment,
}

impl FileReader {
    fn next(&mut self) -> Result<Bytes, String> {
        let path = self.segment.path.display();
        let failed = |error| format!("{path}: cannot be read: {error}");
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&self.segment.path).map_err(failed)?),
        };
        let mut chunk = Vec::new();
        file.take(self.left.min(CHUNK))
            .read_to_end(&mut chunk)
            .map_err(failed)?;
        if chunk.is_empty() {
            return Err(format!("{path}: is shorter than at the start of the run"));
        }
        self.left -= chunk.len() as u64;
        Ok(chunk.into())
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::StreamExt;
    use futures_lite::future::block_on;

    use super::*;

    fn read(segment: &FileSegment) -> Result<Vec<u8>, String> {
        let chunks: Result<Vec<Bytes>, _> = block_on(segment.read().try_collect());
        chunks
            .map(|all| all.concat())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_read_anew_and_sends_as_many_bytes_as_at_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let content: Vec<u8> = (0..CHUNK * 2 + 5).map(|n| n as u8).collect();
        fs::write(&path, &content).unwrap();
        let segment = FileSegment::open(&path).unwrap();
        assert_eq!(read(&segment), Ok(content.clone()));
        fs::write(&path, [&content[..], b"more"].concat()).unwrap();
        assert_eq!(read(&segment), Ok(content));
        fs::write(&path, "short").unwrap();
        assert!(read(&segment).unwrap_err().contains("shorter"));
        fs::remove_file(&path).unwrap();
        assert!(read(&segment).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn a_stream_is_copied_and_can_be_read_twice() {
        let segment = FileSegment::copy(&mut &b"abc"[..]).unwrap();
        assert_eq!((segment.known_length(), segment.length()), (None, 3));
        assert_eq!(read(&segment).unwrap(), b"abc");
        assert_eq!(read(&segment).unwrap(), b"abc");
        let path = segment.path.clone();
        drop(segment);
        assert!(!path.exists());
    }
}
