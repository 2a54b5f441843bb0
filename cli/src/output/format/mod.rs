//! The formats of records.

mod csv;
mod har;
mod lines;
mod parquet;
mod text;

use std::io::{self, Write};

use clap::ValueEnum;

use super::record::{RecordBuilder, RecordInput};

/// The format of records.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum RecordFormat {
    /// CSV with a header line
    Csv,
    /// HAR 1.2, for the network panels of browsers and similar tools
    Har,
    /// JSON, one object per line
    Jsonl,
    /// No records
    None,
    /// Parquet; needs -o
    Parquet,
    /// Text for people, one line per URL
    Text,
}
/// An output format. The threads that have records encode them into buffers; one thread writes the
/// buffers to the file.
pub(crate) trait RecordEncoder: Send + Sync {
    /// Appends one record to a buffer.
    fn encode(&self, out: &mut Vec<u8>, builder: &RecordBuilder, input: &RecordInput<'_>);

    /// The text before the first record, in formats that use the default sink.
    fn header(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Starts a file of buffers.
    ///
    /// # Errors
    ///
    /// If the beginning of the file cannot be written.
    fn open_sink(&self, out: Box<dyn Write + Send>) -> io::Result<Box<dyn RecordSink>> {
        Ok(Box::new(PlainSink(out)))
    }
}

/// A file of records.
pub(crate) trait RecordSink: Send {
    /// Writes a buffer.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    fn write(&mut self, buffer: &[u8]) -> io::Result<()>;

    /// Writes the end of the file, which makes it valid.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes buffers unchanged, one after the other.
struct PlainSink(Box<dyn Write + Send>);

impl RecordSink for PlainSink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<()> {
        self.0.write_all(buffer)?;
        self.0.flush()
    }
}

/// A file of buffers as they are.
pub(crate) fn plain_sink(out: Box<dyn Write + Send>) -> Box<dyn RecordSink> {
    Box::new(PlainSink(out))
}

/// The encoder of `--format`. With `notable_only`, the text format leaves out plain successes.
/// With `is_safe`, cells of CSV are no formulas.
pub(crate) fn encoder(
    format: RecordFormat,
    notable_only: bool,
    is_safe: bool,
) -> Box<dyn RecordEncoder> {
    match format {
        RecordFormat::Csv => Box::new(csv::CsvEncoder { is_safe }),
        RecordFormat::Har => Box::new(har::HarEncoder),
        RecordFormat::Jsonl => Box::new(lines::JsonlEncoder),
        RecordFormat::None => Box::new(lines::NullEncoder),
        RecordFormat::Parquet => Box::new(parquet::ParquetEncoder),
        RecordFormat::Text => Box::new(lines::TextEncoder { notable_only }),
    }
}
