//! Words that are no options: URLs.

use std::ffi::OsStr;
use std::path::Path;

use clap::Command;

use crate::display::sanitize;
use crate::exit::CliError;

/// The endings of lists.
const LIST_ENDINGS: [&str; 11] = [
    "csv", "gz", "json", "jsonl", "list", "ndjson", "parquet", "tsv", "txt", "urls", "zst",
];

/// Dashes that are not `-`, as programs for text make them.
const OTHER_DASHES: [char; 5] = ['\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}'];

/// Checks that the word may be a URL, perhaps without its scheme: it has a dot, a colon or a slash,
/// or is `localhost`.
///
/// # Errors
///
/// What to write instead.
pub(super) fn check(command: &Command, word: &OsStr) -> Result<(), CliError> {
    // Other words that are not UTF-8 are refused by clap.
    let Some(text) = word.to_str() else {
        return Ok(());
    };
    let shown = sanitize(text.as_bytes());
    if text == "-" {
        return Err(CliError::usage(
            "-: write -i - for a list of URLs from stdin",
        ));
    }
    if let Some(rest) = text.strip_prefix(OTHER_DASHES) {
        let rest = sanitize(rest.trim_start_matches(OTHER_DASHES).as_bytes());
        let why = "begins with a dash that is not a hyphen";
        return Err(CliError::usage(format!(
            "{shown}: {why}: write -{rest} or --{rest}"
        )));
    }
    if is_list(text) {
        let why = format!("is a file: write -i {shown} for its URLs, or http://{shown}");
        return Err(CliError::usage(format!("{shown}: {why}")));
    }
    if has_form_of_url(text) {
        return Ok(());
    }
    if command.find_subcommand(text).is_some() {
        let why =
            format!("write the command first: fetch-all {shown} …, or http://{shown} for a host");
        return Err(CliError::usage(format!("{shown}: {why}")));
    }
    let names = command.get_subcommands().map(Command::get_name);
    let similar = names
        .map(|name| (strsim::jaro_winkler(name, text), name))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let advice = match similar {
        Some((_, name)) => format!("did you mean {name}? A host is written http://{shown}"),
        None => format!("write http://{shown} for a host, -i FILE for a list"),
    };
    Err(CliError::usage(format!(
        "{shown}: neither a URL nor a command: {advice}"
    )))
}

fn has_form_of_url(text: &str) -> bool {
    let host = text.split(['?', '#']).next().unwrap_or_default();
    text.contains(['.', ':', '/']) || host.eq_ignore_ascii_case("localhost")
}

/// Whether it is the name of a list rather than a host.
fn is_list(text: &str) -> bool {
    let path = Path::new(text);
    let ending = path.extension().and_then(OsStr::to_str);
    let ending = ending.map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| LIST_ENDINGS.contains(&&*ending))
        && !text.contains("://")
        && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(word: &str) -> Result<(), String> {
        let command = crate::args::command();
        check(&command, OsStr::new(word)).map_err(|error| error.message)
    }

    #[test]
    fn only_words_with_a_dot_colon_or_slash_and_localhost_are_urls() {
        for url in [
            "a.test",
            "a:8080",
            "a/b",
            "localhost",
            "LocalHost?x",
            "[::1]/",
            "http://a",
        ] {
            assert_eq!(checked(url), Ok(()), "{url}");
        }
        for (word, part) in [
            ("example", "write http://example"),
            ("simulat", "did you mean simulate?"),
            ("policy", "fetch-all policy"),
            ("-", "-i -"),
            ("\u{2013}silent", "--silent"),
            ("", "neither"),
            ("Cargo.toml", ""),
        ] {
            let checked = checked(word);
            let is_right = match part {
                "" => checked.is_ok(),
                part => checked.is_err_and(|why| why.contains(part)),
            };
            assert!(is_right, "{word}");
        }
    }
}
