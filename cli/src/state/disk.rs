//! What files need beyond std: names in errors, directories that are durable, reads at a place.

use std::fs::File;
use std::io;
use std::path::Path;

/// An error that names the file.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> io::Error + '_ {
    let name = path.file_name().unwrap_or(path.as_os_str());
    move |error| io::Error::new(error.kind(), format!("{}: {error}", name.to_string_lossy()))
}

/// A file whose content cannot be right.
pub(crate) fn damaged(path: &Path, what: &str) -> io::Error {
    at(path)(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// Makes durable which files a directory has.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    // Elsewhere a directory cannot be opened, and the system cares for it.
    let _ = path;
    Ok(())
}

/// Reads at an offset, without moving where others read.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset);
    #[cfg(not(unix))]
    {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = file;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(bytes)
    }
}
