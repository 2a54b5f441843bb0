//! `-w`: a text with curl's variables, printed for each URL.

mod outputs;
mod parse;
mod value;
mod variable;

use std::fs;
use std::io::{self, IsTerminal, Read, Write};

use crate::display::escape_unsafe;
use crate::exit::CliError;
use crate::output::format::{RecordEncoder, RecordSink};
use crate::output::record::{RecordBuilder, RecordInput};
use outputs::{Section, SectionSink, WriteOutOutput};
use parse::{OutputName, WriteOutPart};
use variable::VariableSource;

/// The most outputs that one format may name.
const MAX_OUTPUTS: usize = 255;

/// A format as text, in which every part but text is written as `\0{part}\0`, and its unknown variables.
pub(crate) fn describe(text: &str) -> (String, Vec<String>) {
    let (parts, unknown) = parse::parse(text);
    let parts = parts.into_iter().map(|part| match part {
        WriteOutPart::Text(text) => text,
        part => format!("\0{part:?}\0"),
    });
    (parts.collect(), unknown)
}

/// A parsed format.
#[derive(Debug)]
pub(crate) struct WriteOut {
    parts: Vec<WriteOutPart>,
    /// The outputs that the format names. Empty if everything goes to stdout.
    outputs: Vec<WriteOutOutput>,
    stdout_is_terminal: bool,
}

/// Escapes what a terminal would obey in the values from `start`. Files and pipes get the bytes, as from curl.
fn escape_for(is_terminal: bool, out: &mut Vec<u8>, start: usize) {
    if is_terminal {
        let text = String::from_utf8_lossy(&out[start..]);
        // header_json has lines.
        let lines: Vec<_> = text.split('\n').map(escape_unsafe).collect();
        let shown = lines.join("\n");
        out.truncate(start);
        out.extend_from_slice(shown.as_bytes());
    }
}

impl WriteOut {
    /// Parses the option, which may name a file, and opens its outputs. `stdin_is_taken`: the list is
    /// read from stdin. Warns about variables that are not known, which stay empty, as in curl.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or an output not written.
    pub(crate) fn load(
        option: &str,
        stdin_is_taken: bool,
        warnings: &mut Vec<String>,
    ) -> Result<Self, CliError> {
        let text = match option.strip_prefix('@') {
            None => option.to_owned(),
            Some("-") if stdin_is_taken => {
                return Err(CliError::usage(
                    "-w @- and -i -: stdin can be read only once",
                ));
            }
            Some(path) => read(path).map_err(|error| {
                CliError::file(format!("--write-out @{path}: cannot be read: {error}"))
            })?,
        };
        let (parts, unknown) = parse::parse(&text);
        for name in unknown {
            let name = crate::display::sanitize_up_to(80, name.as_bytes());
            let similar = variable::similar_name(&name);
            let hint = similar.map_or_else(String::new, |name| format!("; write %{{{name}}}"));
            warnings.push(format!(
                "--write-out: the variable %{{{name}}} is not known and stays empty{hint}"
            ));
        }
        let outputs = open_outputs(&parts)?;
        Ok(Self {
            parts,
            outputs,
            stdout_is_terminal: io::stdout().is_terminal(),
        })
    }

    fn index(&self, name: &OutputName) -> u8 {
        let index = self.outputs.iter().position(|output| output.is(name));
        index.map_or(0, |index| index as u8)
    }
}

/// Opens the outputs of a format. stdout is the first, because it is the default.
fn open_outputs(parts: &[WriteOutPart]) -> Result<Vec<WriteOutOutput>, CliError> {
    let mut outputs: Vec<WriteOutOutput> = Vec::new();
    for part in parts {
        let WriteOutPart::To(name) = part else {
            continue;
        };
        if outputs.is_empty() {
            outputs.push(WriteOutOutput::Stdout);
        }
        if outputs.iter().all(|output| !output.is(name)) {
            outputs.push(WriteOutOutput::open(name.clone())?);
        }
        if outputs.len() > MAX_OUTPUTS {
            let text = format!("--write-out: names more than {MAX_OUTPUTS} files: write fewer");
            return Err(CliError::usage(text));
        }
    }
    Ok(outputs)
}

fn read(path: &str) -> io::Result<String> {
    if path != "-" {
        return fs::read_to_string(path);
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map(|_| text)
}

impl RecordEncoder for WriteOut {
    fn encode(&self, out: &mut Vec<u8>, builder: &RecordBuilder, input: &RecordInput<'_>) {
        let source = VariableSource::new(builder, input);
        // Without other outputs, the buffer has the text itself.
        let has_sections = !self.outputs.is_empty();
        let mut section = has_sections.then(|| Section::start(out, 0));
        let mut is_terminal = self.stdout_is_terminal;
        for part in &self.parts {
            let start = out.len();
            match part {
                WriteOutPart::Header { name, separator } => {
                    source.write_header(out, name, separator.as_deref());
                    escape_for(is_terminal, out, start);
                }
                WriteOutPart::OnError if source.record.exitcode == 0 => break,
                WriteOutPart::OnError => {}
                WriteOutPart::Text(text) => out.extend_from_slice(text.as_bytes()),
                WriteOutPart::To(name) => {
                    if let Some(section) = section.take() {
                        section.end(out);
                    }
                    section = Some(Section::start(out, self.index(name)));
                    is_terminal = match name {
                        OutputName::File { .. } => false,
                        OutputName::Stderr => io::stderr().is_terminal(),
                        OutputName::Stdout => self.stdout_is_terminal,
                    };
                }
                WriteOutPart::Variable(variable) => {
                    variable.write(out, &source);
                    escape_for(is_terminal, out, start);
                }
            }
        }
        if let Some(section) = section {
            section.end(out);
        }
    }

    fn open_sink(&self, out: Box<dyn Write + Send>) -> io::Result<Box<dyn RecordSink>> {
        match self.outputs.is_empty() {
            true => Ok(crate::output::format::plain_sink(out)),
            false => Ok(Box::new(SectionSink::new(&self.outputs, out)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_control_characters_and_a_file_the_bytes() {
        let value = "a\x1b[31m\u{202e}\nb";
        for (is_terminal, expected) in [
            (true, "{a\\u{1b}[31m\\u{202e}\nb"),
            (false, "{a\x1b[31m\u{202e}\nb"),
        ] {
            let mut out = format!("{{{value}").into_bytes();
            escape_for(is_terminal, &mut out, 1);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
