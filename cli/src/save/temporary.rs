//! Temporary files beside the files that they become.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::TEMPORARY_PREFIX;

/// Creates a temporary file with the usual permissions of new files.
pub(super) fn create_temporary(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX).suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The umask applies.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let start = Instant::now();
    loop {
        match builder.tempfile_in(directory) {
            Err(error) if is_out_of_files(&error) && start.elapsed() < MAX_FILE_WAIT => {
                std::thread::sleep(FILE_WAIT);
            }
            created => return created,
        }
    }
}

/// The longest wait for a file descriptor, and the time between two attempts: connections and other
/// bodies release theirs soon.
const MAX_FILE_WAIT: Duration = Duration::from_secs(10);
const FILE_WAIT: Duration = Duration::from_millis(2);

/// Whether this process or machine has no file descriptor left: `ENFILE` or `EMFILE`.
fn is_out_of_files(error: &io::Error) -> bool {
    // The numbers are the same on all Unix systems. `tempfile` keeps only the text of the error.
    let text = error.to_string();
    cfg!(unix) && (text.contains("(os error 23)") || text.contains("(os error 24)"))
}
