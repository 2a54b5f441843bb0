//! A look into a store in a directory, from outside.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::files::{CacheFiles, RESPONSES, UNFINISHED, entries};
use crate::cache::format::{DecodedFile, PREFIX, decode, decode_head, head_len};
use crate::cache::stored::StoredResponse;

/// The directory of a [`DiskStore`](crate::DiskStore), to see and remove what is in it. Fetchers may use
/// the store at the same time.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// use fetch_driver::{CacheDirectory, DiskStore};
/// DiskStore::open(directory.path(), 1024 * 1024)?;
/// let cache = CacheDirectory::open(directory.path())?;
/// for file in cache.files() {
///     let file = file?;
///     match cache.read_head(&file) {
///         Ok(entry) => println!("{}: {} bytes", entry.url, entry.body_len),
///         Err(error) => println!("{}: {error}", file.path.display()),
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct CacheDirectory(CacheFiles);

/// A file of a store.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CacheFile {
    /// Its size.
    pub bytes: u64,
    /// Where it is.
    pub path: PathBuf,
    /// When it was last used or written. The files that were used least recently make room.
    pub used: SystemTime,
}

/// The content of a file of a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CacheEntry {
    /// The size of the body, decoded, in bytes.
    pub body_len: u64,
    /// A keyed hash of the credentials of the request, in hexadecimal digits, and of what else
    /// distinguished its sender; `None` if there was nothing.
    pub identity: Option<String>,
    /// The response, with its body if that was read.
    pub response: StoredResponse,
    /// The URL as it was sent.
    pub url: String,
}

/// Why a file of a store cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum CacheFileError {
    /// Its content is not as it was written: what is wrong with it.
    Damaged(&'static str),
    /// It cannot be read.
    Io(io::Error),
}

impl CacheDirectory {
    /// Opens the directory of a store that exists. Nothing in it is changed.
    ///
    /// # Errors
    ///
    /// If there is no store ([`NotFound`](ErrorKind::NotFound)), or it cannot be read.
    pub fn open(directory: impl AsRef<Path>) -> io::Result<Self> {
        CacheFiles::open_existing(directory.as_ref().to_owned()).map(Self)
    }

    /// All files with responses, in no particular order. Files that disappear meanwhile are left out.
    pub fn files(&self) -> impl Iterator<Item = io::Result<CacheFile>> {
        let groups = list(&self.0.directory().join(RESPONSES));
        let folders = groups.flat_map(|group| match group {
            Ok(group) => list(&group),
            Err(error) => Listing::Failed(Some(error)),
        });
        let files = folders.flat_map(|folder| match folder {
            Ok(folder) => list(&folder),
            Err(error) => Listing::Failed(Some(error)),
        });
        files.filter_map(|path| path.and_then(found).transpose())
    }

    /// The files with responses to this URL, as it is sent.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    pub fn files_of(&self, url: &str) -> io::Result<Vec<CacheFile>> {
        files_in(&self.0.folder(url))
    }

    /// The files that are being written, or were left by killed processes.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    pub fn unfinished(&self) -> io::Result<Vec<CacheFile>> {
        files_in(&self.0.directory().join(UNFINISHED))
    }

    /// Reads the response of a file without its body, which is not checked but for its size.
    ///
    /// # Errors
    ///
    /// If the file is damaged, or cannot be read.
    pub fn read_head(&self, file: &CacheFile) -> Result<CacheEntry, CacheFileError> {
        let mut opened = File::open(&file.path)?;
        let len = opened.metadata()?.len();
        let mut start = Vec::new();
        let mut read = |upto: usize, start: &mut Vec<u8>| {
            let more = (upto - start.len()) as u64;
            opened.by_ref().take(more).read_to_end(start)
        };
        read(PREFIX, &mut start)?;
        let head = head_len(&start).map_err(CacheFileError::Damaged)?;
        read(PREFIX + head, &mut start)?;
        self.entry(file, decode_head(&start, len))
    }

    /// Reads the response of a file, and checks all of it.
    ///
    /// # Errors
    ///
    /// If the file is damaged, or cannot be read.
    pub fn read(&self, file: &CacheFile) -> Result<CacheEntry, CacheFileError> {
        self.entry(file, decode(fs::read(&file.path)?))
    }

    fn entry(
        &self,
        file: &CacheFile,
        decoded: Result<DecodedFile, &'static str>,
    ) -> Result<CacheEntry, CacheFileError> {
        let decoded = decoded.map_err(CacheFileError::Damaged)?;
        let identity = String::from_utf8_lossy(&decoded.identity).into_owned();
        let name = file.path.file_name().unwrap_or_default();
        let is_of_identity = identity
            .get(..16)
            .is_some_and(|start| name.to_string_lossy().starts_with(start));
        if !is_of_identity || file.path.parent() != Some(&self.0.folder(&decoded.url)) {
            let why = "it is the file of another URL or identity";
            return Err(CacheFileError::Damaged(why));
        }
        let is_nobody = identity == self.0.hash("identity", b"");
        Ok(CacheEntry {
            body_len: decoded.body_len,
            identity: (!is_nobody).then_some(identity),
            response: decoded.response,
            url: decoded.url,
        })
    }

    /// Removes a file. Returns false if it did not exist any more.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn remove(&self, file: &CacheFile) -> io::Result<bool> {
        match fs::remove_file(&file.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for CacheDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CacheDirectory")
            .field(&self.0.directory())
            .finish()
    }
}

impl CacheFileError {
    /// Whether the file does not exist any more, for example because a fetcher has replaced it.
    ///
    /// ```
    /// use fetch_driver::CacheFileError;
    /// let error = std::fs::read("/no/such/file").unwrap_err();
    /// assert!(CacheFileError::from(error).is_gone());
    /// ```
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == ErrorKind::NotFound)
    }
}

impl From<io::Error> for CacheFileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for CacheFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(why) => f.write_str(why),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CacheFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Damaged(_) => None,
            Self::Io(error) => Some(error),
        }
    }
}

/// What is in a folder, or the error that happened when it was read.
enum Listing {
    Failed(Option<io::Error>),
    Paths(std::vec::IntoIter<PathBuf>),
}

impl Iterator for Listing {
    type Item = io::Result<PathBuf>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Failed(error) => error.take().map(Err),
            Self::Paths(paths) => paths.next().map(Ok),
        }
    }
}

fn list(folder: &Path) -> Listing {
    match entries(folder) {
        Ok(paths) => Listing::Paths(paths.into_iter()),
        Err(error) => Listing::Failed(Some(error)),
    }
}

/// The files in a folder, by name.
fn files_in(folder: &Path) -> io::Result<Vec<CacheFile>> {
    let mut paths = entries(folder)?;
    paths.sort();
    let files = paths.into_iter().map(found);
    files.filter_map(io::Result::transpose).collect()
}

/// The file at this path; `None` if it does not exist any more.
fn found(path: PathBuf) -> io::Result<Option<CacheFile>> {
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(CacheFile {
        bytes: metadata.len(),
        path,
        used: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
    }))
}
