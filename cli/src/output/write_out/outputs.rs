//! The outputs to which `-w` writes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use super::parse::OutputName;
use crate::exit::CliError;
use crate::output::format::RecordSink;

/// An output of `-w`. Its index marks its bytes in a buffer.
#[derive(Debug)]
pub(super) enum WriteOutOutput {
    File { file: File, path: String },
    Stderr,
    Stdout,
}

impl WriteOutOutput {
    /// Opens the output. A file is emptied, unless its content is kept; the lines of all URLs follow.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(super) fn open(name: OutputName) -> Result<Self, CliError> {
        let (path, append) = match name {
            OutputName::File { path, append } => (path, append),
            OutputName::Stderr => return Ok(Self::Stderr),
            OutputName::Stdout => return Ok(Self::Stdout),
        };
        let mut options = OpenOptions::new();
        options.create(true).append(append);
        if !append {
            options.write(true).truncate(true);
        }
        let file = options.open(&path).map_err(|error| {
            CliError::file(format!(
                "--write-out %output{{{path}}}: cannot be written: {error}"
            ))
        })?;
        Ok(Self::File { file, path })
    }

    /// Whether `name` is this output.
    pub(super) fn is(&self, name: &OutputName) -> bool {
        match (self, name) {
            (Self::File { path, .. }, OutputName::File { path: named, .. }) => path == named,
            (Self::Stderr, OutputName::Stderr) | (Self::Stdout, OutputName::Stdout) => true,
            _ => false,
        }
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::File { file, path } => Self::File {
                file: file.try_clone()?,
                path: path.clone(),
            },
            Self::Stderr => Self::Stderr,
            Self::Stdout => Self::Stdout,
        })
    }
}

/// The bytes for one output in a buffer: its index, their number, the bytes.
pub(super) struct Section {
    /// Where the bytes begin.
    start: usize,
}

impl Section {
    pub(super) fn start(buffer: &mut Vec<u8>, output: u8) -> Self {
        buffer.push(output);
        buffer.extend_from_slice(&[0; 8]);
        Self {
            start: buffer.len(),
        }
    }

    /// Writes the number of the bytes that were appended since the start.
    pub(super) fn end(self, buffer: &mut [u8]) {
        let length = (buffer.len() - self.start) as u64;
        buffer[self.start - 8..self.start].copy_from_slice(&length.to_le_bytes());
    }
}

/// Writes buffers of sections.
pub(super) struct SectionSink {
    outputs: Vec<WriteOutOutput>,
    stdout: Box<dyn Write + Send>,
}

impl SectionSink {
    pub(super) fn new(
        outputs: &[WriteOutOutput],
        stdout: Box<dyn Write + Send>,
    ) -> io::Result<Self> {
        let outputs = outputs.iter().map(WriteOutOutput::try_clone);
        Ok(Self {
            outputs: outputs.collect::<io::Result<_>>()?,
            stdout,
        })
    }

    fn write_section(&mut self, output: usize, bytes: &[u8]) -> io::Result<()> {
        match self.outputs.get_mut(output) {
            Some(WriteOutOutput::File { file, path }) => file.write_all(bytes).map_err(|error| {
                io::Error::new(error.kind(), format!("%output{{{path}}}: {error}"))
            }),
            // As curl, which does not notice a closed stderr.
            Some(WriteOutOutput::Stderr) => {
                let _ = io::stderr().write_all(bytes);
                Ok(())
            }
            _ => self.stdout.write_all(bytes),
        }
    }
}

impl RecordSink for SectionSink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<()> {
        let mut rest = buffer;
        while let Some((output, after)) = rest.split_first() {
            let Some((length, after)) = after.split_first_chunk() else {
                break;
            };
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let (bytes, after) = after.split_at(length.min(after.len()));
            self.write_section((*output).into(), bytes)?;
            rest = after;
        }
        self.stdout.flush()
    }
}
