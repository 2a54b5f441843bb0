//! Files as bodies, also those that can be read only once.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use fetch_driver::{BodySource, BodyStream, FileBody};
use http::HeaderValue;
use tempfile::TempPath;

use crate::display::plural;

/// A file that is read again for each request.
#[derive(Debug)]
pub(super) struct UploadFile {
    body: FileBody,
    /// The file into which stdin or a pipe was copied. It is removed at the end.
    temporary: Option<TempPath>,
}

impl UploadFile {
    /// The file at this path, or a copy of it if it can be read only once; `-` is stdin.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
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
                body: FileBody::open(path)?,
                temporary: None,
            }),
            false => Self::copy(&mut file),
        }
    }

    /// Copies the rest of a stream, so that it can be sent again.
    fn copy(reader: &mut dyn Read) -> io::Result<Self> {
        let (mut file, path) = tempfile::NamedTempFile::new()?.into_parts();
        io::copy(reader, &mut file)?;
        Ok(Self {
            body: FileBody::open(&path)?,
            temporary: Some(path),
        })
    }

    /// All of the file at this path, or of stdin.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
        if path.as_os_str() == "-" {
            let mut content = Vec::new();
            io::stdin().lock().read_to_end(&mut content)?;
            return Ok(content);
        }
        fs::read(path)
    }

    /// The bytes from an offset on, and the value of `Content-Range` that says so.
    ///
    /// # Errors
    ///
    /// If the file has no bytes there.
    pub(super) fn into_rest(
        mut self,
        offset: u64,
    ) -> io::Result<(Box<dyn BodySource>, HeaderValue)> {
        let length = self.body.length().unwrap_or(0);
        if offset >= length {
            let length = plural(length, "byte", "bytes");
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("it has only {length}, and nothing after {offset}"),
            ));
        }
        let range = HeaderValue::try_from(format!("bytes {offset}-{}/{length}", length - 1));
        self.body = self.body.skip(offset);
        Ok((Box::new(self), range.map_err(io::Error::other)?))
    }

    /// The body of `-T`: with its length, unless it comes from stdin or a pipe, which curl sends in chunked
    /// coding.
    pub(super) fn into_sized(self) -> Box<dyn BodySource> {
        match self.temporary.is_some() {
            true => Box::new(Unsized(self)),
            false => Box::new(self),
        }
    }
}

impl BodySource for UploadFile {
    fn length(&self) -> Option<u64> {
        self.body.length()
    }

    fn open(&self) -> BodyStream {
        BodySource::open(&self.body)
    }
}

struct Unsized(UploadFile);

impl BodySource for Unsized {
    fn length(&self) -> Option<u64> {
        None
    }

    fn open(&self) -> BodyStream {
        BodySource::open(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_lite::StreamExt;
    use futures_lite::future::block_on;

    use super::*;

    fn read(body: &dyn BodySource) -> Vec<u8> {
        let pieces: Result<Vec<Bytes>, _> = block_on(body.open().try_collect());
        pieces.unwrap().concat()
    }

    #[test]
    fn a_stream_is_copied_and_can_be_read_twice() {
        let file = UploadFile::copy(&mut &b"abc"[..]).unwrap();
        let path = file.temporary.as_ref().unwrap().to_path_buf();
        assert_eq!(file.length(), Some(3));
        let body = file.into_sized();
        assert_eq!(body.length(), None);
        assert_eq!(read(&*body), b"abc");
        assert_eq!(read(&*body), b"abc");
        drop(body);
        assert!(!path.exists());
    }
}
