//! The destinations of lines: console and file.

use std::io::{self, Write};

use crate::file::RotatingFile;

/// The destinations of lines. An error of one does not affect the other.
pub(crate) struct LogSinks {
    console: Box<dyn Write + Send>,
    log_to_console: bool,
    file: Option<RotatingFile>,
    file_failing: bool,
}

impl LogSinks {
    pub(crate) fn new(
        console: Box<dyn Write + Send>,
        log_to_console: bool,
        file: Option<RotatingFile>,
    ) -> Self {
        Self {
            console,
            log_to_console,
            file,
            file_failing: false,
        }
    }

    /// Reports an error of the file on the console, once until the file works again.
    fn report_file_error(&mut self, result: io::Result<()>) -> io::Result<()> {
        let Err(error) = result else {
            self.file_failing = false;
            return Ok(());
        };
        if std::mem::replace(&mut self.file_failing, true) {
            return Ok(());
        }
        let message = format!("fetch-all: {error}; fetching continues\n");
        self.console.write_all(message.as_bytes())
    }
}

impl Write for LogSinks {
    /// Writes a whole line. The logger calls it once per line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let result = self.file.as_mut().map(|file| file.write_line(line));
        let reported = result.map_or(Ok(()), |result| self.report_file_error(result));
        if self.log_to_console {
            self.console.write_all(line)?;
        }
        reported.map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // The file is not buffered.
        self.console.flush()
    }
}
