//! Words that are no options: URLs.

use std::ffi::OsStr;

use clap::Command;

use crate::args::values::{has_form_of_url, is_file_name, is_local_path};
use crate::display::sanitize;
use crate::exit::CliError;

/// Quotes of texts, which are none to a shell.
const TEXT_QUOTES: [char; 6] = [
    '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{ab}', '\u{bb}',
];

/// Dashes that are not `-`, as programs for text make them.
const OTHER_DASHES: [char; 5] = ['\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}'];

/// Checks that the word may be a URL, perhaps without its scheme: it has a dot, a colon or a slash,
/// or is `localhost`.
///
/// # Errors
///
/// The hint that names the replacement.
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
    if text.is_empty() {
        let why = "an empty word: write a URL, or check the variables of the shell";
        return Err(CliError::usage(format!("\"\": {why}")));
    }
    if text.starts_with(TEXT_QUOTES) {
        let why = "begins with a quote that is none to the shell: write '…' or \"…\"";
        return Err(CliError::usage(format!("{shown}: {why}")));
    }
    if is_local_path(text) {
        return Err(CliError::usage(format!(
            "{shown}: write -i {shown} for a list of URLs, or http:// and the host before it: it is a path, \
             not a URL"
        )));
    }
    if is_file_name(text) {
        return Err(CliError::usage(format!(
            "{shown}: write -i {shown} for a list of URLs, -o {shown} for records, --output-dir DIR \
             --name-template {shown} for a body, or http://{shown} for a host: -O takes no name"
        )));
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
            ("", "empty word"),
            ("\u{201c}http://a.test\u{201d}", "quote"),
            ("page.html", "-o page.html for records"),
            ("/srv/urls", "-i /srv/urls"),
            ("../urls", "-i ../urls"),
            ("urls.txt", "-i urls.txt"),
            ("a.test/page.html", ""),
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
