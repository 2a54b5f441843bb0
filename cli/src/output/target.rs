//! The destination of records.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::display::{escape_lines, escape_unsafe, sanitize};
use crate::exit::CliError;
use crate::mutex::lock;

/// Fails if stdout is closed. Rust has opened `/dev/null` in its place, so writing would not fail.
/// `closed_stdout.c` sets the variable.
///
/// # Errors
///
/// If it is closed.
pub(crate) fn check_stdout() -> Result<(), CliError> {
    match std::env::var_os("_FETCH_ALL_CLOSED_STDOUT") {
        Some(_) => Err(CliError::file(
            "stdout is closed: redirect it, or write -o FILE, or --out-null for no records",
        )),
        None => Ok(()),
    }
}

/// Prints on stdout. A reader that closes it early is no error.
///
/// # Errors
///
/// If stdout is closed or cannot be written.
pub(crate) fn print_stdout(text: &[u8]) -> Result<(), CliError> {
    check_stdout()?;
    let mut stdout = io::stdout();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::file(format!(
            "stdout: cannot be written: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Prints lines for people on stdout. What they have from outside cannot control the terminal.
///
/// # Errors
///
/// If stdout is closed or cannot be written.
pub(crate) fn print_text(text: &str) -> Result<(), CliError> {
    print_stdout(escape_lines(text).as_bytes())
}

/// Prints an error or a warning on stderr, as one line. What it has from outside cannot control the
/// terminal.
pub(crate) fn print_message(message: &str) {
    let _ = writeln!(io::stderr(), "fetch-all: {}", escape_unsafe(message));
}

/// A file that is written by others, which cannot report errors, such as that of `--record`.
pub(crate) struct ObservedFile {
    file: File,
    status: Arc<FileStatus>,
}

/// The first error of an [`ObservedFile`].
pub(crate) struct FileStatus {
    error: Mutex<Option<String>>,
    /// The option and the path, for messages.
    name: String,
}

impl ObservedFile {
    /// Creates a file that an option names.
    ///
    /// # Errors
    ///
    /// If it cannot be created.
    pub(crate) fn create(option: &str, path: &Path) -> Result<Self, CliError> {
        let name = format!("{option} {}", OutputTarget::display_name(path));
        let file = File::create(path)
            .map_err(|error| CliError::file(format!("{name}: cannot be written: {error}")))?;
        let error = Mutex::default();
        let status = Arc::new(FileStatus { error, name });
        Ok(Self { file, status })
    }

    pub(crate) fn status(&self) -> Arc<FileStatus> {
        self.status.clone()
    }
}

impl FileStatus {
    /// # Errors
    ///
    /// If a write has failed.
    pub(crate) fn check(&self) -> Result<(), CliError> {
        match &*lock(&self.error) {
            Some(error) => {
                let name = &self.name;
                Err(CliError::file(format!(
                    "{name}: cannot be written further: {error}"
                )))
            }
            None => Ok(()),
        }
    }

    fn record<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            lock(&self.error).get_or_insert_with(|| error.to_string());
        }
        result
    }
}

impl Write for ObservedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        self.status.record(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.status.record(flushed)
    }
}

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
