//! The options of `-K` files.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap_lex::RawArgs;

use super::{NormalLine, curl_file, has_long, not_an_option};
use crate::config::known::check;
use crate::config::print::redact;
use crate::display::sanitize;
use crate::exit::CliError;

/// How deep `-K` files may name each other.
const MAX_FILES: usize = 8;

impl NormalLine<'_> {
    /// Adds the options of a file in curl's syntax.
    pub(super) fn add_file(&mut self, shown: &str, path: &OsStr) -> Result<(), CliError> {
        let name = sanitize(path.as_encoded_bytes());
        if self.files.len() >= MAX_FILES {
            let why = "its files name each other, or are nested too deeply";
            return Err(CliError::usage(format!("{shown} {name}: {why}")));
        }
        let is_stdin = path == "-";
        let bytes = match is_stdin {
            true if std::mem::replace(&mut self.has_read_stdin, true) => {
                let why = "stdin can be read only once: write a file for the others";
                return Err(CliError::usage(format!("{shown} -: {why}")));
            }
            true => std::io::read_to_string(std::io::stdin()),
            false => std::fs::read_to_string(Path::new(path)),
        };
        let text = bytes.map_err(|error| {
            CliError::file(format!(
                "{shown} {name}: cannot be read: {error}: check the name of the file"
            ))
        })?;
        self.files.push(path.to_owned());
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        for option in curl_file::parse(text) {
            self.add_file_option(&option)
                .map_err(|error| error.at(&format!("{name}:{}", option.line)))?;
        }
        self.files.pop();
        Ok(())
    }

    fn add_file_option(&mut self, option: &curl_file::FileOption) -> Result<(), CliError> {
        let shown = sanitize(option.name.as_bytes());
        if !option.rest.is_empty() {
            let is_toml = option
                .value
                .as_ref()
                .is_some_and(|value| value.starts_with('['));
            return Err(CliError::usage(match is_toml {
                true => format!("{shown}: this is TOML: write --config FILE"),
                false => format!("{shown}: a value with spaces: write it in double quotes"),
            }));
        }
        let first = self.options.len();
        let mut value = option.value.clone().map(OsString::from);
        let mut next = |_| value.take();
        let words = RawArgs::new([match option.name.starts_with('-') {
            true => option.name.clone(),
            false => format!("--{}", option.name),
        }]);
        let mut cursor = words.cursor();
        let Some(word) = words.next(&mut cursor) else {
            return Ok(());
        };
        if let Some((name, after)) = word.to_long() {
            let name = name.map_err(|_| not_an_option(&word))?;
            self.add_long(name, after.map(OsStr::to_owned), &mut next)?;
        } else {
            self.add_shorts(&word, &mut next)?;
        }
        if value.is_some() {
            return Err(CliError::usage(format!(
                "{shown}: takes no value: write it alone"
            )));
        }
        // Checked here, where the line is known.
        self.options[first..].iter().try_for_each(|word| {
            let Some((name, value)) = word.to_str().and_then(|word| word.split_once('=')) else {
                return Ok(());
            };
            let name = name.trim_start_matches('-');
            let arg = self.command.get_arguments().find(|arg| has_long(arg, name));
            let Some(arg) = arg else {
                return Ok(());
            };
            let value = value.to_owned();
            check(arg, std::slice::from_ref(&value)).map_err(|why| {
                let value = redact(arg.get_id().as_str(), &value);
                CliError::usage(format!("{shown} '{}': {why}", sanitize(value.as_bytes())))
            })
        })
    }
}
