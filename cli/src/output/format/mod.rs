//! The forms that records are written in.

mod csv;
mod flat;
mod har;
mod lines;
mod parquet;
mod text;

use std::io::{self, Write};

use crate::args::Format;
use crate::output::record::{Recorder, Told};

/// A form of output. Records are encoded on the threads that have them, into buffers, and these are
/// written by one thread to the file.
pub(crate) trait Encoder: Send + Sync {
    /// Adds one record to a buffer.
    fn add(&self, out: &mut Vec<u8>, recorder: &Recorder, told: &Told<'_>);

    /// What comes before the first record, in forms whose records just follow each other.
    fn head(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Begins a file of buffers.
    ///
    /// # Errors
    ///
    /// If what comes before the first record cannot be written.
    fn begin(&self, out: Box<dyn Write + Send>) -> io::Result<Box<dyn Sink>> {
        Ok(Box::new(Plain(out)))
    }
}

/// A file of records.
pub(crate) trait Sink: Send {
    /// Writes a buffer.
    ///
    /// # Errors
    ///
    /// If the file does not take it.
    fn write(&mut self, buffer: &[u8]) -> io::Result<()>;

    /// Writes what comes after the last record, so that the file is valid.
    ///
    /// # Errors
    ///
    /// If the file does not take it.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A form in which records just follow each other.
struct Plain(Box<dyn Write + Send>);

impl Sink for Plain {
    fn write(&mut self, buffer: &[u8]) -> io::Result<()> {
        self.0.write_all(buffer)?;
        self.0.flush()
    }
}

/// The form that an option names. `notable_only` is for lines for people.
pub(crate) fn encoder(format: Format, notable_only: bool) -> Box<dyn Encoder> {
    match format {
        Format::Csv => Box::new(csv::Csv),
        Format::Har => Box::new(har::Har),
        Format::Jsonl => Box::new(lines::Jsonl),
        Format::None => Box::new(lines::Nothing),
        Format::Parquet => Box::new(parquet::Parquet),
        Format::Text => Box::new(lines::Text { notable_only }),
    }
}
