//! File helpers: names in errors, durable directories, positional reads.

use std::fs::File;
use std::io;
use std::path::Path;

/// Adds the file's name to an error.
pub(crate) fn with_name(path: &Path) -> impl Fn(io::Error) -> io::Error + '_ {
    let name = path.file_name().unwrap_or(path.as_os_str());
    move |error| io::Error::new(error.kind(), format!("{}: {error}", name.to_string_lossy()))
}

/// The error of a file with invalid content.
pub(crate) fn damaged_error(path: &Path, what: &str) -> io::Error {
    with_name(path)(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    // Elsewhere a directory cannot be opened, and needs no sync.
    let _ = path;
    Ok(())
}

/// Reads at an offset, without changing the file's position.
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

/// A number with its noun.
pub(crate) fn count_of(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
