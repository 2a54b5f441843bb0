//! Hands each line to the console and the file.

use std::io::{self, Write};

use super::file::RotatingFile;

/// The places that a line goes to; trouble with one does not keep it from the other.
pub(super) struct LogSinks {
    console: Box<dyn Write + Send>,
    console_wanted: bool,
    file: Option<RotatingFile>,
    file_failing: bool,
}

impl LogSinks {
    pub(super) fn new(
        console: Box<dyn Write + Send>,
        console_wanted: bool,
        file: Option<RotatingFile>,
    ) -> Self {
        Self {
            console,
            console_wanted,
            file,
            file_failing: false,
        }
    }

    /// Says on the console, even one not wanted, that the file fails: once until it works again.
    fn note(&mut self, result: io::Result<()>) -> io::Result<()> {
        let Err(error) = result else {
            self.file_failing = false;
            return Ok(());
        };
        if std::mem::replace(&mut self.file_failing, true) {
            return Ok(());
        }
        let note = format!("fetch-all: {error}; the fetching goes on\n");
        self.console.write_all(note.as_bytes())
    }
}

impl Write for LogSinks {
    /// Takes a whole line, which is how the logger calls it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let result = self.file.as_mut().map(|file| file.write_line(line));
        let noted = result.map_or(Ok(()), |result| self.note(result));
        if self.console_wanted {
            self.console.write_all(line)?;
        }
        noted.map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // The file is not buffered.
        self.console.flush()
    }
}
