//! Options from a TOML file.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::{Spanned, Value as Toml};

use super::known::{OptionIndex, OptionValue, arguments};
use super::line::is_curl_syntax;
use super::print::is_secret;
use super::{ConfigEntry, OptionSource};
use crate::config::toml_file::TomlDocument;
use crate::exit::CliError;

/// Reads the named file, or else the default one if it exists. Returns its options, and warnings.
///
/// # Errors
///
/// If it cannot be read or is not valid.
pub(super) fn entries(
    known: &OptionIndex<'_>,
    named: Option<(PathBuf, String)>,
) -> Result<(Vec<ConfigEntry>, Vec<String>), CliError> {
    let (path, document) = match named {
        Some((path, by)) => {
            let document = TomlDocument::read(&by, &path)?;
            (path, document)
        }
        None => match default_path().filter(|path| path.is_file()) {
            Some(path) => {
                let document = TomlDocument::read("configuration file", &path)?;
                (path, document)
            }
            None => return Ok((Vec::new(), Vec::new())),
        },
    };
    let entries = parse(known, &document, &path).map_err(|error| match document.is_toml() {
        false if is_curl_syntax(known, document.text()) => {
            let path = path.display();
            let why = format!(
                "{}: --config is TOML: for curl's syntax write -K {path}",
                error.message
            );
            CliError::usage(why)
        }
        _ => error,
    })?;
    let is_exposed = entries.iter().any(has_secret) && others_can_read(&path);
    let warnings = is_exposed.then(|| {
        let path = path.display();
        format!("{path} contains a password and other users can read it: chmod 600 {path}")
    });
    Ok((entries, warnings.into_iter().collect()))
}

/// The options of a file as words of a command line.
pub(crate) fn toml_options(text: &str) -> Result<Vec<String>, String> {
    let command = crate::args::command();
    let document = TomlDocument::new("config.toml", text);
    let entries = parse(
        &OptionIndex::new(&command),
        &document,
        Path::new("config.toml"),
    );
    let entries = entries.map_err(|error| error.message)?;
    let words = entries.into_iter().flat_map(|entry| entry.arguments);
    Ok(words
        .map(|word| word.to_string_lossy().into_owned())
        .collect())
}

/// Whether the value contains a secret: a password, the user of a proxy's URL, a credential field.
fn has_secret(entry: &ConfigEntry) -> bool {
    let values = entry
        .arguments
        .iter()
        .filter_map(|word| word.to_str()?.split_once('='));
    let mut values = values.map(|(_, value)| value);
    values.any(|value| is_secret(&entry.id, value))
}

/// `$XDG_CONFIG_HOME/fetch-all/config.toml`, or the same in `~/.config`. A file in the working
/// directory is not read, because anyone may have written it.
fn default_path() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || set("HOME").map(|home| Path::new(&home).join(".config"));
    let base = set("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home)?;
    Some(base.join("fetch-all").join("config.toml"))
}

fn parse(
    known: &OptionIndex<'_>,
    document: &TomlDocument,
    path: &Path,
) -> Result<Vec<ConfigEntry>, CliError> {
    // Sorted by key: the order of options in a file has no meaning.
    let table: BTreeMap<Spanned<String>, Spanned<Toml>> = document.parse()?;
    let mut entries = Vec::new();
    for (key, value) in table {
        let (name, at) = (key.get_ref(), key.span());
        let Some(arg) = known.find(name) else {
            let suggestion = known
                .suggest(name)
                .map(|name| format!(": did you mean {name}?"));
            let why = format!(
                "there is no option of this name{}",
                suggestion.unwrap_or_default()
            );
            return Err(document.error_at(at, &why));
        };
        let id = arg.get_id().to_string();
        if entries.iter().any(|entry: &ConfigEntry| entry.id == id) {
            let why = format!(
                "the option --{} is set twice",
                arg.get_long().unwrap_or_default()
            );
            return Err(document.error_at(at, &why));
        }
        let at: Range<usize> = value.span();
        let arguments = option_value(value.into_inner())
            .and_then(|value| arguments(arg, &value))
            .map_err(|why| document.error_at(at, &why))?;
        entries.push(ConfigEntry {
            id,
            source: OptionSource::File(path.to_owned()),
            arguments,
        });
    }
    Ok(entries)
}

fn option_value(value: Toml) -> Result<OptionValue, String> {
    Ok(match value {
        Toml::Boolean(flag) => OptionValue::Flag(flag),
        Toml::Array(values) => {
            let one = |value| match option_value(value)? {
                OptionValue::One(value) => Ok(value),
                _ => Err("write a list of strings or numbers".to_owned()),
            };
            OptionValue::Many(values.into_iter().map(one).collect::<Result<_, _>>()?)
        }
        Toml::Float(number) => OptionValue::One(number.to_string()),
        Toml::Integer(number) => OptionValue::One(number.to_string()),
        Toml::String(text) => OptionValue::One(text),
        Toml::Datetime(_) | Toml::Table(_) => {
            return Err("write a string, a number, true, false, or a list of them".into());
        }
    })
}

#[cfg(unix)]
fn others_can_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments_of(text: &str) -> Result<Vec<std::ffi::OsString>, String> {
        let command = crate::args::command();
        let document = TomlDocument::new("c.toml", text);
        let entries = parse(&OptionIndex::new(&command), &document, Path::new("c.toml"));
        let entries = entries.map_err(|error| error.message)?;
        Ok(entries
            .into_iter()
            .flat_map(|entry| entry.arguments)
            .collect())
    }

    #[test]
    fn keys_and_values_become_arguments() {
        let text = "max_time = 0.5\nlocation = true\nfail = false\nverbose = 2\n\
                    header = ['a: 1', 'b: 2']\ntimeout = '/x=1'\nlog-file = true\nmethod = 'PUT'\n";
        let expected = [
            "--no-fail",
            "--header=a: 1",
            "--header=b: 2",
            "--location",
            "--log-file",
            "--max-time=0.5",
            "--request=PUT",
            "--timeout=/x=1",
            "--verbose",
            "--verbose",
        ];
        assert_eq!(arguments_of(text).unwrap(), expected);
    }

    #[test]
    fn secrets_are_detected() {
        let command = crate::args::command();
        for (text, expected) in [
            ("user = 'me:secret'", true),
            ("proxy = 'http://me:secret@a.test:1'", true),
            ("proxy = 'http://a.test:1'", false),
            ("header = ['X-A: 1', 'Authorization: Bearer x']", true),
            ("header = ['X-A: 1']\nlocation = true", false),
        ] {
            let document = TomlDocument::new("c.toml", text);
            let entries = parse(&OptionIndex::new(&command), &document, Path::new("c.toml"));
            let entries = entries.map_err(|error| error.message).unwrap();
            assert_eq!(entries.iter().any(has_secret), expected, "{text}");
        }
    }

    #[test]
    fn errors_have_line_column_text_and_fix() {
        for (text, expected) in [
            (
                "\nmax-tme = 1",
                "c.toml:2:1: max-tme: there is no option of this name: did you mean max-time?",
            ),
            (
                "max-time = 'soon'",
                "c.toml:1:12: 'soon': not a number of seconds",
            ),
            ("max-time = [1]", "takes one value, not several"),
            ("max-time = true", "needs a value"),
            ("location = 'x'", "write true or false"),
            ("[speed]\nx = 1", "there is no option of this name"),
            (
                "[header]\nx = 1",
                "write a string, a number, true, false, or a list",
            ),
            ("demo = true", "there is no option of this name"),
            ("request = 'PUT'\nmethod = 'PUT'", "set twice"),
            ("max-time = ", "c.toml:1:"),
        ] {
            let error = arguments_of(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
