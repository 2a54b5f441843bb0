//! Options from a TOML file.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::{Spanned, Value as Toml};

use super::known::{Known, Value, words};
use super::print::is_secret;
use super::{Entry, Origin};
use crate::config::toml_file::Document;
use crate::exit::CliError;

/// What the file says, the named one or else the usual one if it is there; and what should be told of
/// it.
///
/// # Errors
///
/// If it cannot be read, or is not right.
pub(super) fn entries(
    known: &Known<'_>,
    named: Option<(PathBuf, String)>,
) -> Result<(Vec<Entry>, Vec<String>), CliError> {
    let (path, document) = match named {
        Some((path, by)) => {
            let document = Document::read(&by, &path)?;
            (path, document)
        }
        None => match usual().filter(|path| path.is_file()) {
            Some(path) => {
                let document = Document::read("the file of options", &path)?;
                (path, document)
            }
            None => return Ok((Vec::new(), Vec::new())),
        },
    };
    let entries = parse(known, &document, &path)?;
    let is_exposed = entries.iter().any(has_secret) && others_can_read(&path);
    let warnings = is_exposed.then(|| {
        let path = path.display();
        format!("{path} holds a password and others can read it: chmod 600 {path}")
    });
    Ok((entries, warnings.into_iter().collect()))
}

/// Whether an option, or the user in a proxy's URL, or a field, is nobody else's business.
fn has_secret(entry: &Entry) -> bool {
    let values = entry
        .words
        .iter()
        .filter_map(|word| word.to_str()?.split_once('='));
    let mut values = values.map(|(_, value)| value);
    values.any(|value| is_secret(&entry.id, value))
}

/// `$XDG_CONFIG_HOME/fetch-all/config.toml`, or the same in `~/.config`. Never one of the present
/// directory, which may be anybody's.
fn usual() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || set("HOME").map(|home| Path::new(&home).join(".config"));
    let base = set("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home)?;
    Some(base.join("fetch-all").join("config.toml"))
}

fn parse(known: &Known<'_>, document: &Document, path: &Path) -> Result<Vec<Entry>, CliError> {
    // In the order of the keys: no option of a file depends on another's place.
    let table: BTreeMap<Spanned<String>, Spanned<Toml>> = document.parse()?;
    let mut entries = Vec::new();
    for (key, value) in table {
        let (name, at) = (key.get_ref(), key.span());
        let Some(arg) = known.named(name) else {
            let like = known
                .like(name)
                .map(|like| format!(": did you mean {like}?"));
            let why = format!("no option has this name{}", like.unwrap_or_default());
            return Err(document.wrong(at, &why));
        };
        let id = arg.get_id().to_string();
        if entries.iter().any(|entry: &Entry| entry.id == id) {
            let why = format!(
                "the option --{} is set twice",
                arg.get_long().unwrap_or_default()
            );
            return Err(document.wrong(at, &why));
        }
        let at: Range<usize> = value.span();
        let words = plain(value.into_inner())
            .and_then(|value| words(arg, &value))
            .map_err(|why| document.wrong(at, &why))?;
        entries.push(Entry {
            id,
            origin: Origin::File(path.to_owned()),
            words,
        });
    }
    Ok(entries)
}

fn plain(value: Toml) -> Result<Value, String> {
    Ok(match value {
        Toml::Boolean(flag) => Value::Flag(flag),
        Toml::Array(values) => {
            let one = |value| match plain(value)? {
                Value::One(value) => Ok(value),
                _ => Err("write a list of texts or numbers".to_owned()),
            };
            Value::Many(values.into_iter().map(one).collect::<Result<_, _>>()?)
        }
        Toml::Float(number) => Value::One(number.to_string()),
        Toml::Integer(number) => Value::One(number.to_string()),
        Toml::String(text) => Value::One(text),
        Toml::Datetime(_) | Toml::Table(_) => {
            return Err("write a text, a number, true, false, or a list of them".into());
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

    fn said(text: &str) -> Result<Vec<std::ffi::OsString>, String> {
        let command = crate::args::command();
        let document = Document::new("c.toml", text);
        let entries = parse(&Known::new(&command), &document, Path::new("c.toml"));
        let entries = entries.map_err(|stop| stop.message)?;
        Ok(entries.into_iter().flat_map(|entry| entry.words).collect())
    }

    #[test]
    fn keys_are_long_names_and_values_what_they_would_be() {
        let text = "max_time = 0.5\nlocation = true\nfail = false\nverbose = 2\n\
                    header = ['a: 1', 'b: 2']\ntimeout = '/x=1'\nlog-file = true\nmethod = 'PUT'\n";
        let expected = [
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
        assert_eq!(said(text).unwrap(), expected);
    }

    #[test]
    fn secrets_are_noticed() {
        let command = crate::args::command();
        for (text, expected) in [
            ("user = 'me:secret'", true),
            ("proxy = 'http://me:secret@a.test:1'", true),
            ("proxy = 'http://a.test:1'", false),
            ("header = ['X-A: 1', 'Authorization: Bearer x']", true),
            ("header = ['X-A: 1']\nlocation = true", false),
        ] {
            let document = Document::new("c.toml", text);
            let entries = parse(&Known::new(&command), &document, Path::new("c.toml"));
            let entries = entries.map_err(|stop| stop.message).unwrap();
            assert_eq!(entries.iter().any(has_secret), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_have_line_column_text_and_fix() {
        for (text, expected) in [
            (
                "\nmax-tme = 1",
                "c.toml:2:1: max-tme: no option has this name: did you mean max-time?",
            ),
            (
                "max-time = 'soon'",
                "c.toml:1:12: 'soon': not a number of seconds",
            ),
            ("max-time = [1]", "it has one value, not several"),
            ("max-time = true", "it needs a value"),
            ("location = 'x'", "write true or false"),
            ("[speed]\nx = 1", "no option has this name"),
            (
                "[header]\nx = 1",
                "write a text, a number, true, false, or a list",
            ),
            ("demo = true", "no option has this name"),
            ("request = 'PUT'\nmethod = 'PUT'", "set twice"),
            ("max-time = ", "c.toml:1:"),
        ] {
            let error = said(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
