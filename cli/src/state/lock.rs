//! One run at a time: a lock that the system gives back however the process ends.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use fs4::{FileExt, TryLockError};

use crate::exit::CliError;

/// The name of the file. Its lock counts, not its presence.
pub(crate) const NAME: &str = "lock";

/// Held as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a state.
    ///
    /// # Errors
    ///
    /// If another process has it, or there can be none.
    pub(crate) fn take(directory: &Path) -> Result<Self, CliError> {
        let shown = directory.display();
        let path = directory.join(NAME);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(|error| {
            CliError::file(format!("--state {shown}: cannot be locked: {error}"))
        })?;
        match FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message.
                let _ = (&file).take(20).read_to_string(&mut holder);
                let holder = holder.trim().parse::<u32>();
                let who =
                    holder.map_or_else(|_| "another run".into(), |id| format!("process {id}"));
                return Err(CliError::file(format!(
                    "--state {shown}: is in use by {who}: wait for it, or name another directory"
                )));
            }
            Err(TryLockError::Error(error)) => {
                return Err(CliError::file(format!(
                    "--state {shown}: cannot be locked: {error}: choose a directory on a local disk"
                )));
            }
        }
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Self { _file: file })
    }
}
