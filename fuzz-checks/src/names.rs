//! Texts of the command line, robots.txt, and names of files.

use fetch_all_cli::parsers;
use fetch_driver::url::Url;

/// The most URLs of a glob that a check reads.
const MAX_URLS: usize = 300;

/// An argument is expanded to as many URLs as it says, one per line. Without braces, brackets and backslashes
/// it is itself.
pub fn check_glob(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let Ok((count, urls)) = parsers::expand_glob(text, MAX_URLS) else {
        assert!(
            text.contains(['{', '[']),
            "{text:?} has nothing that can be wrong"
        );
        return;
    };
    assert_eq!(urls.len() as u64, count.min(MAX_URLS as u64));
    if !text.contains(['{', '[', '\\']) {
        assert_eq!(urls, [text.replace('\n', "\x01").into_bytes()]);
    }
    // Numbers are repeated at most as letters or sets: no URL is much longer than the text.
    assert!(urls.iter().all(|url| url.len() <= text.len() + 20));
}

/// A format of `-w` is read as curl reads it: in one pass, from left to right.
pub fn check_write_out(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if text.contains('\0') {
        return;
    }
    let (described, unknown) = parsers::write_out_format(text);
    let mut literal = String::new();
    for (index, part) in described.split('\0').enumerate() {
        if index % 2 == 0 {
            literal.push_str(part);
        }
    }
    assert_eq!((literal, unknown.len()), read_simply(text), "{described:?}");
}

/// The text of a format besides variables, and the number of unknown ones, as curl finds them.
fn read_simply(text: &str) -> (String, usize) {
    let chars: Vec<char> = text.chars().collect();
    let (mut literal, mut unknown, mut at) = (String::new(), 0, 0);
    while at < chars.len() {
        let rest = &chars[at..];
        let (text, length) = match rest {
            ['%', '%', ..] => ("%".to_owned(), 2),
            ['\\', 'n', ..] => ("\n".to_owned(), 2),
            ['\\', 'r', ..] => ("\r".to_owned(), 2),
            ['\\', 't', ..] => ("\t".to_owned(), 2),
            ['%', ..] => {
                let opened = ["%header{", "%output{", "%{"]
                    .into_iter()
                    .find(|prefix| rest.starts_with(&prefix.chars().collect::<Vec<_>>()));
                let end = rest.iter().position(|c| *c == '}');
                match (opened, end) {
                    (Some(prefix), Some(end)) => {
                        let inside: String = rest[prefix.len()..end].iter().collect();
                        if prefix == "%{"
                            && parsers::write_out_format(&format!("%{{{inside}}}")).1 != [""; 0]
                        {
                            unknown += 1;
                        }
                        (String::new(), end + 1)
                    }
                    (Some(prefix), None) => (prefix.to_owned(), prefix.len()),
                    (None, _) => (rest.iter().take(2).collect(), rest.len().min(2)),
                }
            }
            ['\\', ..] => (rest.iter().take(2).collect(), rest.len().min(2)),
            [c, ..] => (c.to_string(), 1),
            [] => break,
        };
        literal.push_str(&text);
        at += length;
    }
    (literal, unknown)
}

/// The first byte chooses a URL, the others are a robots.txt.
///
/// - Its file itself is always allowed, and without rules everything is.
/// - Case of the agent, ends of lines, comments, and groups of other agents change nothing.
/// - A group that forbids everything forbids it.
pub fn check_robots(input: &[u8]) {
    const AGENT: &str = "FetchBot";
    let Some((choice, file)) = input.split_first() else {
        return;
    };
    let path = [
        "/",
        "/a",
        "/a/b.html?x=1",
        "/index.html",
        "/%7Ejoe/caf%C3%A9",
        "/a%2Fb*$",
    ];
    let path = path[usize::from(*choice) % path.len()];
    let url = |path: &str| -> Url {
        let text = format!("https://a.test{path}");
        text.parse().expect("the checks have valid URLs")
    };
    let allows = |file: &[u8]| parsers::robots_allow(file, AGENT, &url(path));
    assert!(parsers::robots_allow(file, AGENT, &url("/robots.txt")));
    let allowed = allows(file);
    assert_eq!(parsers::robots_allow(file, "fetchBOT", &url(path)), allowed);
    // A rule ends the list of agents of the last group.
    let ended = [file, b"\nAllow: /zzz\n"].concat();
    let with_other = [&ended, &b"User-agent: other\nDisallow: /\n"[..]].concat();
    assert_eq!(
        allows(&with_other),
        allows(&ended),
        "a group of another agent"
    );
    let crlf = file
        .split(|byte| *byte == b'\n')
        .collect::<Vec<_>>()
        .join(&b"\r\n"[..]);
    assert_eq!(allows(&crlf), allowed, "ends of lines");
    let commented = file.split(|byte| *byte == b'\n').collect::<Vec<_>>();
    if commented.iter().all(|line| line.len() < 1000) {
        let commented = commented.join(&b" # x\n"[..]);
        assert_eq!(allows(&commented), allowed, "comments");
    }
    let lower = file.to_ascii_lowercase();
    let has_rules = [&b"allow"[..], b"dis", b"dias"]
        .into_iter()
        .any(|word| contains(&lower, word));
    assert!(has_rules || allowed, "without rules");
    let forbidden = [file, b"\nDisallow:\nUser-agent: FetchBot\nDisallow: /*\n"].concat();
    assert!(has_rules || !allows(&forbidden));
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// The first byte chooses a URL, the first line is `Content-Disposition`, the rest is a template: names of
/// bodies are relative paths of valid names.
pub fn check_body_path(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else {
        return;
    };
    let urls = [
        "http://a.test/",
        "http://a.test/../..%2F..%2Fetc/passwd",
        "http://a.test:81/x/%00%0A%2e%2e",
        "https://[2001:db8::1]/con.txt?a/b\\c",
    ];
    let url: Url = urls[usize::from(*choice) % urls.len()]
        .parse()
        .expect("a valid URL");
    let mut lines = rest.splitn(2, |byte| *byte == b'\n');
    let disposition = lines.next().unwrap_or_default();
    let template = lines.next().map(String::from_utf8_lossy);
    for template in [None, template.as_deref()] {
        if let Some(path) = parsers::body_path(template, disposition, &url) {
            check_path(&path);
        }
    }
}

/// The longest path and component that every file system takes.
fn check_path(path: &str) {
    assert!(path.len() <= 1024 + 256, "{path}");
    for name in path.split('/') {
        assert!(!name.is_empty() && name != "." && name != "..", "{path}");
        assert!(name.len() <= 255, "{path}");
        let is_bad = |c: char| c.is_control() || "<>:\"|?*\\".contains(c);
        assert!(!name.contains(is_bad), "{path:?}");
        assert!(!name.ends_with(['.', ' ']), "{path:?}");
        assert!(!name.starts_with(".fetch-all-"), "{path:?}");
    }
}
