//! Words of wget's command lines that mean something else here.

use std::ffi::{OsStr, OsString};

use crate::args::values::{has_form_of_url, is_file_name, is_local_path};
use crate::display::sanitize;

/// Flags that have no value, and may stand with `-O` in one word.
const FLAGS: &str = "#46IJLORSfgknpqsv";

/// Words that end the options of a line for wget, and mean an option with a value here.
const PAIRS: [(&str, &str); 6] = [
    (
        "-nc",
        "write --skip-existing: existing files are kept without it, too, and the new one gets a suffix",
    ),
    (
        "-nd",
        "write -O --output-dir DIR, which saves all bodies in one directory",
    ),
    ("-nH", "write --output-dir DIR --name-template '{path}'"),
    (
        "-c",
        "write -C - to continue downloads, as wget's -c, or -c FILE to store cookies",
    ),
    (
        "-r",
        "write -i FILE with the URLs: links are not followed; or -r RANGE for a part",
    ),
    (
        "-m",
        "write -i FILE with the URLs: links are not followed; or -m SECONDS for a time limit",
    ),
];

/// The hint for a word of the command line and the one after it, if they have a meaning for wget only.
pub(in crate::config::line) fn hint<'a>(words: impl Iterator<Item = &'a OsStr>) -> Option<String> {
    let all = words.map(|word| word.to_str().unwrap_or_default());
    let all: Vec<&str> = all.take_while(|word| *word != "--").collect();
    all.iter().enumerate().find_map(|(at, word)| {
        let next = all.get(at + 1).copied();
        let pair = PAIRS.iter().find(|(pair, _)| pair == word);
        if let Some((pair, hint)) = pair.filter(|_| next.is_none_or(ends_option)) {
            return Some(format!("{pair}: {hint}"));
        }
        let flags = word.strip_prefix('-')?;
        let is_stdout = flags.strip_suffix("O-").is_some_and(are_flags);
        if is_stdout || is_remote_name(flags) && next == Some("-") {
            return Some(
                "-O -: write --record-body text -w '%{body}' for texts, or --output-dir DIR: bodies are \
                 not written to stdout"
                    .to_owned(),
            );
        }
        let name = next.filter(|_| is_remote_name(flags))?;
        name_hint(name, &all)
    })
}

/// The hint for a name behind `-O`, which would be a URL. A host needs no other URL beside it.
fn name_hint(name: &str, all: &[&str]) -> Option<String> {
    let has_list = all.iter().any(|word| is_list(word));
    let has_url = all.iter().any(|word| is_url(word));
    let is_name = is_local_path(name) || (has_url || has_list) && is_path_or_name(name);
    let (directory, file) = name.rsplit_once('/').unwrap_or((".", name));
    let directory = if directory.is_empty() { "/" } else { directory };
    let [name, directory, file] = [name, directory, file].map(|part| sanitize(part.as_bytes()));
    let (advice, why) = match has_list || file.is_empty() {
        true => ("-O".to_owned(), "each body is named by its URL"),
        false => (format!("--name-template {file}"), "-O takes no name"),
    };
    is_name.then(|| format!("-O {name}: write --output-dir {directory} {advice}: {why}"))
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

/// Whether the option before this word has no value, because the word is a URL or an option.
fn ends_option(word: &str) -> bool {
    let is_option =
        |word: &str| word.starts_with(|first: char| first == '-' || first.is_alphabetic());
    is_url(word) || word.strip_prefix('-').is_some_and(is_option)
}

/// Whether the word says that there is a list.
fn is_list(word: &str) -> bool {
    word.starts_with("-i") || word.starts_with("--input-file") || word.starts_with("--url=")
}

/// Whether it is a path or a name of a file, and no URL without its scheme.
fn is_path_or_name(word: &str) -> bool {
    let first = word.split('/').next().unwrap_or_default();
    let is_host = first.contains(['.', ':']) && !first.starts_with('.') || first == "localhost";
    let is_path = word.contains('/') && !word.contains("://") && !is_host;
    !word.starts_with('-') && (is_path || is_file_name(word) || !has_form_of_url(word))
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
            ("-nc http://a.test/", "-nc: write --skip-existing"),
            ("http://a.test/ -nc", "-nc: write --skip-existing"),
            ("-nc -i urls.txt", "-nc: write --skip-existing"),
            ("-nd -P dir -i urls.txt", "-nd: write -O --output-dir DIR"),
            ("-c http://a.test/", "-c: write -C -"),
            ("-r -l 2 http://a.test/", "-r: write -i FILE"),
            ("-m -np http://a.test/", "-m: write -i FILE"),
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
                "-O /tmp/x: write --output-dir /tmp --name-template x",
            ),
            (
                "-O /tmp/a.zip a.test/x",
                "--output-dir /tmp --name-template a.zip",
            ),
            ("-O /x a.test", "--output-dir / --name-template x"),
            (
                "-qO page.html http://a.test/",
                "-O page.html: write --output-dir . --name-template page.html",
            ),
            ("-O x http://a.test/", "--output-dir . --name-template x"),
            ("-O dir/ http://a.test/", "write --output-dir dir -O"),
            ("-O dir/x -i urls.txt", "write --output-dir dir -O"),
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
            "-O -i urls.txt",
            "-c ./-jar http://a.test/",
            "-r -500 http://a.test/",
            "-m 10 http://a.test/",
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
