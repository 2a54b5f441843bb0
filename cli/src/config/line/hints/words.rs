//! Words of wget's command lines that mean something else here.

use std::ffi::{OsStr, OsString};

use crate::display::sanitize;

/// Flags that have no value, and may stand with `-O` in one word.
const FLAGS: &str = "#46IJLORSfgknpqsv";

/// wget's options of two letters, which are two options of one letter here.
const PAIRS: [(&str, &str); 3] = [
    (
        "-nc",
        "leave it out: existing files are kept; --skip-existing does not fetch them again",
    ),
    ("-nd", "leave it out: -O saves all bodies in one directory"),
    ("-nH", "write --output-dir DIR --name-template '{path}'"),
];

/// The hint for a word of the command line and the one after it, if they have a meaning for wget only.
pub(in crate::config::line) fn hint<'a>(words: impl Iterator<Item = &'a OsStr>) -> Option<String> {
    let all = words.map(|word| word.to_str().unwrap_or_default());
    let all: Vec<&str> = all.take_while(|word| *word != "--").collect();
    let has_url = all.iter().any(|word| is_url(word));
    all.iter().enumerate().find_map(|(at, word)| {
        let next = all.get(at + 1).copied();
        let pair = PAIRS.iter().find(|(pair, _)| pair == word);
        if let Some((pair, hint)) = pair.filter(|_| next.is_none_or(is_url)) {
            return Some(format!("{pair}: {hint}"));
        }
        let flags = word.strip_prefix('-')?;
        if flags.strip_suffix("O-").is_some_and(are_flags)
            || is_remote_name(flags) && next == Some("-")
        {
            return Some(
                "-O -: bodies are not written to stdout: write --record-body text -w '%{body}' for texts, \
                 or --output-dir DIR"
                    .to_owned(),
            );
        }
        let name = next.filter(|name| has_url && is_remote_name(flags) && is_path(name))?;
        let (directory, file) = name.rsplit_once('/')?;
        let [directory, file] = [directory, file].map(|part| sanitize(part.as_bytes()));
        Some(format!(
            "-O takes no name: write --output-dir {directory} --name-template {file}"
        ))
    })
}

/// The option that took a URL as its value, and the URL, in a line that names no other URL.
pub(in crate::config) fn taken_url(words: &[OsString]) -> Option<(String, String)> {
    let shown = |word: &OsStr| sanitize(word.as_encoded_bytes());
    words.windows(2).find_map(|pair| {
        let [option, value] = pair else {
            return None;
        };
        let is_taken = option.as_encoded_bytes().starts_with(b"-") && is_url(value.to_str()?);
        is_taken.then(|| (shown(option), shown(value)))
    })
}

fn is_url(word: &str) -> bool {
    word.starts_with("http://") || word.starts_with("https://")
}

/// Whether these are flags that end with `-O`.
fn is_remote_name(flags: &str) -> bool {
    flags.ends_with('O') && are_flags(flags)
}

fn are_flags(flags: &str) -> bool {
    flags.chars().all(|flag| FLAGS.contains(flag))
}

/// Whether it is a path that begins with a directory, and no URL without its scheme.
fn is_path(word: &str) -> bool {
    let first = word.split('/').next().unwrap_or_default();
    let is_host = first.contains(['.', ':']) && !first.starts_with('.') || first == "localhost";
    word.contains('/') && !word.contains("://") && !is_host && !word.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn habits_of_wget_get_the_option_to_write() {
        for (line, part) in [
            ("-nc http://a.test/", "existing files are kept"),
            ("http://a.test/ -nc", "existing files are kept"),
            ("-nd http://a.test/", "-O saves"),
            ("-nH https://a.test/", "{path}"),
            ("-O - http://a.test/", "--record-body"),
            ("-qO- http://a.test/", "--record-body"),
            ("-O- a.test", "--record-body"),
            (
                "-O dir/x http://a.test/",
                "--output-dir dir --name-template x",
            ),
            (
                "-qO ./a/b.jpg http://a.test/",
                "--output-dir ./a --name-template b.jpg",
            ),
            (
                "http://a.test/ -O /tmp/x",
                "--output-dir /tmp --name-template x",
            ),
        ] {
            let hint = hint(words(line).iter().map(|word| &**word));
            assert!(
                hint.as_ref().is_some_and(|hint| hint.contains(part)),
                "{line}: {hint:?}"
            );
        }
    }

    #[test]
    fn what_curl_means_needs_no_hint() {
        for line in [
            "-nc jar http://a.test/",
            "-nH X:y http://a.test/",
            "-O http://a.test/",
            "-O a.test/x http://b.test/",
            "-O localhost/x http://b.test/",
            "-fsSLO http://a.test/x",
            "-O dir/x",
            "-dO- http://a.test/",
            "-- -O- http://a.test/",
        ] {
            assert_eq!(hint(words(line).iter().map(|word| &**word)), None, "{line}");
        }
    }

    #[test]
    fn a_url_that_an_option_took_is_named() {
        let taken = taken_url(&words("fetch-all -s -d http://a.test/"));
        assert_eq!(taken, Some(("-d".into(), "http://a.test/".into())));
        assert_eq!(taken_url(&words("fetch-all -d a=1")), None);
    }
}
