//! clap's errors in one line: option, value, what is wrong, what to write instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::print::redact;
use crate::display::sanitize;

/// The error without clap's layout.
pub(super) fn message(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    };
    let option = names(&text(ContextKind::InvalidArg));
    let value = text(ContextKind::InvalidValue);
    let id = option.trim_start_matches('-').replace('-', "_");
    let shown = sanitize(redact(&id, &value).as_bytes());
    match error.kind() {
        ErrorKind::ValueValidation => format!("{option} '{shown}': {}", reason(error)),
        ErrorKind::InvalidValue if value.is_empty() => match text(ContextKind::ValidValue) {
            values if values.is_empty() => format!("{option}: its value is missing"),
            values => format!("{option}: its value is missing: write {values}"),
        },
        ErrorKind::InvalidValue => {
            let values = text(ContextKind::ValidValue);
            format!("{option} '{shown}': write one of {values}")
        }
        ErrorKind::ArgumentConflict => match names(&text(ContextKind::PriorArg)) {
            other if other.is_empty() || other == option => format!("{option}: given twice"),
            other => format!("{option} and {other} exclude each other: write one of them"),
        },
        ErrorKind::MissingRequiredArgument => {
            let wanted = text(ContextKind::InvalidArg).replace(['<', '>'], "");
            format!("{wanted} is missing: another option here needs it")
        }
        ErrorKind::UnknownArgument => format!("{option}: there is no such option or argument here"),
        ErrorKind::InvalidSubcommand => {
            let command = text(ContextKind::InvalidSubcommand);
            let similar = text(ContextKind::SuggestedSubcommand);
            match similar.is_empty() {
                true => format!("{command}: there is no such command: see --help"),
                false => format!("{command}: there is no such command: did you mean {similar}?"),
            }
        }
        ErrorKind::TooManyValues => format!("{option}: takes no value '{shown}'"),
        ErrorKind::InvalidUtf8 => "an argument is not valid UTF-8".to_owned(),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues | ErrorKind::NoEquals => {
            format!("{option}: its value is missing")
        }
        _ => first_line(error),
    }
}

/// The message of a value's parser, or the list of possible values.
pub(super) fn reason(error: &clap::Error) -> String {
    if let Some(source) = std::error::Error::source(error) {
        return source.to_string();
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => format!("write one of {}", values.join(", ")),
        _ => first_line(error),
    }
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.trim_start_matches("error: ").to_owned()
}

/// The names of options, without the names of their values: `--rate <N/UNIT>` is `--rate`.
fn names(text: &str) -> String {
    let name = |option: &str| {
        let option = option.trim();
        let end = option
            .find(" <")
            .or_else(|| option.find(" ["))
            .unwrap_or(option.len());
        option[..end]
            .trim_matches(['<', '>', '[', ']', '.'])
            .to_owned()
    };
    text.split(", ").map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn errors_are_one_line_with_option_value_and_fix() {
        for (line, expected) in [
            (
                &["--concurrency=0"][..],
                "--concurrency '0': 0 would fetch nothing: write 1 or more",
            ),
            (
                &["--input-format=xml"],
                "--input-format 'xml': write one of csv, jsonl, lines, parquet, tsv",
            ),
            (
                &["--silent", "--verbose"],
                "--silent and --verbose exclude each other: write one of them",
            ),
            (
                &["policy", "chek"],
                "chek: there is no such command: did you mean check?",
            ),
            (&["--silent=x"], "--silent: takes no value 'x'"),
            (
                &["--header=X-Api-Key secret"],
                "--header 'X-Api-Key: REDACTED': no colon: write 'Name: value', 'Name;' for an empty \
                 one, 'Name:' to remove a default",
            ),
        ] {
            let line = ["fetch-all"].iter().chain(line);
            let error = crate::args::CliArgs::try_parse_from(line).unwrap_err();
            assert_eq!(message(&error), expected);
        }
    }
}
