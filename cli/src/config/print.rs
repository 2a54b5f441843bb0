//! `--print-config`: the options in effect, in the syntax of the configuration file.

use std::fmt::Write;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction};

use super::ParsedOptions;
use super::known::OptionIndex;
use crate::args;
use crate::display::is_unsafe;
use fetch_proto::{SecretSource, is_secret_field, redact_secrets};

/// Options whose values are secret. For --header it depends on the field name.
const SECRET: [&str; 4] = ["cookie", "oauth2_bearer", "proxy_user", "user"];

pub(super) const COMMAND_LINE: &str = "command line";
pub(super) const DEFAULT: &str = "default";
const HIDDEN: &str = "REDACTED";

/// All options that have a value, each with its source. Secrets are replaced.
pub(crate) fn print(parsed: &ParsedOptions) -> String {
    let command = args::command();
    let mut text =
        String::from("# The options in effect. Options that are not listed are not set.\n");
    let mut heading = None;
    for arg in OptionIndex::new(&command).options() {
        let Some(value) = value(arg, parsed) else {
            continue;
        };
        if arg.get_help_heading() != heading {
            heading = arg.get_help_heading();
            let _ = writeln!(text, "\n# {}", heading.unwrap_or("Other"));
        }
        let name = arg.get_long().unwrap_or_default();
        let name = if name.contains('.') {
            format!("\"{name}\"")
        } else {
            name.to_owned()
        };
        let source = source(arg, parsed);
        // Defaults are comments: if they were set, options that they require would be missing.
        let mark = if source == DEFAULT { "# " } else { "" };
        let _ = writeln!(text, "{mark}{name} = {value}  # {source}");
    }
    text
}

pub(super) fn source(arg: &Arg, parsed: &ParsedOptions) -> String {
    let id = arg.get_id().as_str();
    match (parsed.sources.get(id), parsed.matches.value_source(id)) {
        (Some(source), _) => source.to_string(),
        (None, Some(ValueSource::CommandLine)) => COMMAND_LINE.to_owned(),
        _ => DEFAULT.to_owned(),
    }
}

fn value(arg: &Arg, parsed: &ParsedOptions) -> Option<String> {
    let (id, matches) = (arg.get_id().as_str(), &parsed.matches);
    match arg.get_action() {
        ArgAction::SetTrue => matches.get_flag(id).then(|| "true".to_owned()),
        ArgAction::Count => Some(matches.get_count(id))
            .filter(|count| *count > 0)
            .map(|count| count.to_string()),
        action => {
            let raw = matches.get_raw(id)?;
            let values: Vec<_> = raw
                .map(|value| quoted(id, &value.to_string_lossy()))
                .collect();
            match action {
                ArgAction::Append => Some(format!("[{}]", values.join(", "))),
                _ => values.into_iter().next(),
            }
        }
    }
}

/// Whether the value contains a secret.
pub(super) fn is_secret(id: &str, value: &str) -> bool {
    redact(id, value) != value
}

/// Whether the value of the option may contain a secret that its form does not reveal.
pub(super) fn is_secret_option(id: &str) -> bool {
    SECRET.contains(&id) || matches!(id, "client_secret" | "header" | "proxy_header")
}

fn quoted(id: &str, value: &str) -> String {
    let shown = redact(id, value);
    match shown.parse::<i64>() {
        Ok(number) if number.to_string() == shown => shown,
        _ if shown.contains(is_unsafe) => escaped(&shown),
        _ => toml::Value::String(shown).to_string(),
    }
}

/// A string of TOML in which characters that control a terminal or are invisible are escaped.
fn escaped(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            c if is_unsafe(c) => write!(out, "\\U{:08X}", u32::from(c)),
            c => write!(out, "{c}"),
        };
    }
    out + "\""
}

/// Replaces the secrets in the value.
pub(crate) fn redact(id: &str, value: &str) -> String {
    match id {
        id if SECRET.contains(&id) => HIDDEN.to_owned(),
        // It may be the secret itself.
        "client_secret" if value.parse::<SecretSource>().is_err() => HIDDEN.to_owned(),
        "header" | "proxy_header" => {
            // The colon may be missing or another character.
            let name = value.split([':', ';', '=', ' ', '\t']).next();
            let name = name.unwrap_or_default();
            match is_secret_field(name) {
                true => format!("{name}: {HIDDEN}"),
                false => redact_secrets(value).into_owned(),
            }
        }
        // curl takes a password behind the file, which is no option here.
        "cert" => match value.rsplit_once(':') {
            Some((file, password)) if !password.contains(['/', '\\']) => {
                format!("{file}:{HIDDEN}")
            }
            _ => value.to_owned(),
        },
        "proxy" | "preproxy" if !value.contains("//") => match value.rsplit_once('@') {
            Some((_, host)) => format!("{HIDDEN}@{host}"),
            None => value.to_owned(),
        },
        _ => redact_secrets(value).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_characters_are_escaped_and_read_again() {
        let value = "a\u{1b}[1m\u{202e}\\\"b\n";
        let text = quoted("data", value);
        assert!(!text.contains(is_unsafe), "{text}");
        let table: toml::Table = toml::from_str(&format!("a = {text}")).unwrap();
        assert_eq!(table["a"].as_str(), Some(value));
    }

    #[test]
    fn secrets_are_replaced() {
        assert_eq!(quoted("user", "me:secret"), "\"REDACTED\"");
        assert_eq!(
            quoted("header", "X-Api-Key: secret"),
            "\"X-Api-Key: REDACTED\""
        );
        assert_eq!(quoted("header", "X-A: 1"), "\"X-A: 1\"");
        for (id, value) in [
            ("proxy", "me:secret@a.test:1"),
            ("header", "X-A: Bearer secret-secret"),
            ("header", "X-Api-Key secret"),
            ("header", "X-Api-Key=secret"),
            ("cert", "C:\\a.pem:secret"),
            ("data", "user=me&password=secret"),
            ("urls", "http://a.test/?token=secret"),
            ("referer", "http://me:secret@a.test/"),
            ("cache", "redis://:secret@a.test"),
            ("cache", "redis://me:secret@a.test:6379/1"),
        ] {
            assert!(!quoted(id, value).contains("secret"), "{id}");
        }
        assert!(!quoted("proxy", "http://me:secret@a.test:1").contains("secret"));
    }
}
