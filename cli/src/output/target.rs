//! The destination of records.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::display::sanitize;
use crate::exit::CliError;

/// An open destination.
pub(crate) enum OutputTarget {
    /// The name in messages, and the file.
    File(String, File),
    Stdout,
}

impl OutputTarget {
    /// Creates or truncates the file; `None` and `-` are stdout.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
            return Ok(Self::Stdout);
        };
        let name = Self::display_name(path);
        let file = File::create(path).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => ": its directory must exist",
                _ => "",
            };
            CliError::file(format!("--output {name}: cannot be written: {error}{hint}"))
        })?;
        Ok(Self::File(name, file))
    }

    /// The name of a file in messages.
    pub(crate) fn display_name(path: &Path) -> String {
        sanitize(path.as_os_str().as_encoded_bytes())
    }

    /// The name, whether the file has content already, and the destination to write to.
    pub(crate) fn into_parts(self) -> (String, bool, Box<dyn Write + Send>) {
        match self {
            Self::File(name, file) => {
                let has_content = file
                    .metadata()
                    .is_ok_and(|meta| meta.is_file() && meta.len() > 0);
                (name, has_content, Box::new(file))
            }
            Self::Stdout => ("stdout".to_owned(), false, Box::new(io::stdout())),
        }
    }
}
