//! Where it is written to.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::exit::CliError;

/// A destination that is open.
pub(crate) enum Target {
    File(String, File),
    Stdout,
}

impl Target {
    /// Opens the file, which loses what it had; `None` and `-` are stdout.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
            return Ok(Self::Stdout);
        };
        let name = Self::name(path);
        let file = File::create(path).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => ": its directory must exist",
                _ => "",
            };
            CliError::file(format!("--output {name}: cannot be written: {error}{hint}"))
        })?;
        Ok(Self::File(name, file))
    }

    /// How messages call a file.
    pub(crate) fn name(path: &Path) -> String {
        crate::display::shown(path.as_os_str().as_encoded_bytes())
    }

    /// Its name, whether it has something already, and itself.
    pub(super) fn start(self) -> (String, bool, Box<dyn Write + Send>) {
        match self {
            Self::File(name, file) => {
                let begun = file
                    .metadata()
                    .is_ok_and(|meta| meta.is_file() && meta.len() > 0);
                (name, begun, Box::new(file))
            }
            Self::Stdout => ("stdout".to_owned(), false, Box::new(io::stdout())),
        }
    }
}
