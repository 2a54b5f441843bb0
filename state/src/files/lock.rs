//! The lock that allows one run at a time. The system releases it when the process ends.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use fs4::{FileExt, TryLockError};

use crate::error::StateError;

/// The name of the lock file, which may exist without being locked.
pub(crate) const NAME: &str = "lock";

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct StateLock {
    _file: File,
}

impl StateLock {
    /// Takes the lock of a state.
    ///
    /// # Errors
    ///
    /// If another process holds it, or the file cannot be locked.
    pub(crate) fn take(directory: &Path) -> Result<Self, StateError> {
        let path = directory.join(NAME);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(StateError::OpenLock)?;
        match FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = (&file).take(20).read_to_string(&mut holder);
                return Err(StateError::InUse(holder.trim().parse().ok()));
            }
            Err(TryLockError::Error(error)) => {
                return Err(StateError::Lock(error));
            }
        }
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Self { _file: file })
    }
}
