//! The options that are set, for the report: without defaults, with secrets replaced.

use clap::{Arg, ArgAction};

use super::ParsedOptions;
use super::print::{redact, source};
use crate::args;

/// The most values of one option that are listed.
const MAX_VALUES: usize = 20;

/// The options that are set.
#[derive(Clone, Debug, Default)]
pub(crate) struct SetOptions {
    /// Those of the command line, as words for a shell, with their long names.
    pub(crate) command_line: String,
    /// All of them, in the same form, each with its source.
    pub(crate) all: Vec<(String, String)>,
}

impl SetOptions {
    pub(crate) fn new(parsed: &ParsedOptions) -> Self {
        let mut set = Self {
            command_line: "fetch-all".to_owned(),
            all: Vec::new(),
        };
        for arg in args::command().get_arguments() {
            let source = source(arg, parsed);
            if source == super::print::DEFAULT {
                continue;
            }
            let words = words(arg, parsed);
            if source == super::print::COMMAND_LINE {
                set.command_line.push(' ');
                set.command_line.push_str(&words);
            }
            set.all.push((words, source));
        }
        set
    }
}

/// The words that set the option to its values.
fn words(arg: &Arg, parsed: &ParsedOptions) -> String {
    let (id, matches) = (arg.get_id().as_str(), &parsed.matches);
    let name = arg.get_long().map(|long| format!("--{long}"));
    let name = name.as_deref();
    let all: Vec<String> = match arg.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => name.map(str::to_owned).into_iter().collect(),
        ArgAction::Count => {
            let count = usize::from(matches.get_count(id));
            name.map(|name| vec![name.to_owned(); count])
                .unwrap_or_default()
        }
        _ => {
            let values: Vec<_> = matches.get_raw(id).into_iter().flatten().collect();
            let more = values.len().saturating_sub(MAX_VALUES);
            let shown = values.iter().take(MAX_VALUES).map(|value| {
                let value = shell_word(&redact(id, &value.to_string_lossy()));
                name.map_or_else(|| value.clone(), |name| format!("{name} {value}"))
            });
            let rest = (more > 0).then(|| format!("… ({more} more)"));
            shown.chain(rest).collect()
        }
    };
    all.join(" ")
}

/// The text as one word of a POSIX shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_if_a_shell_would_split_or_expand_it() {
        assert_eq!(shell_word("http://a.test/x"), "http://a.test/x");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }
}
