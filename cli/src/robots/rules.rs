//! The rules of a robots.txt for one crawler (RFC 9309).
//!
//! The maintained crates fail some of Google's published cases or compare percent-encoded paths as
//! text, which section 2.2.2 forbids.

use std::time::Duration;

use memchr::memmem;
use url::{Position, Url};

use super::canonical::{canonical_path, canonical_pattern};
use super::token::product_token;

/// The most bytes of a line that count, as in Google's parser: eight times the longest URL that
/// browsers take.
const MAX_LINE: usize = 8 * 2_083 - 1;

/// The rules of the groups for one product token, or for `*` if there are none.
#[derive(Debug, Default)]
pub(super) struct RobotsRules {
    pub(super) crawl_delay: Option<Duration>,
    /// The longest patterns first, and of equal ones those that allow.
    rules: Vec<Rule>,
}

/// A line `Allow` or `Disallow`.
#[derive(Debug)]
struct Rule {
    allows: bool,
    /// Whether the pattern ends with `$`.
    is_anchored: bool,
    /// In canonical form, with `*`.
    pattern: Box<str>,
}

/// The meaning of a line of the file.
enum Line<'a> {
    Agent(&'a [u8]),
    CrawlDelay(&'a [u8]),
    Rule { allows: bool, pattern: &'a [u8] },
}

impl RobotsRules {
    /// Selects the rules for the product token `agent`.
    pub(super) fn parse(text: &[u8], agent: &str) -> Self {
        let (mut own, mut common) = (Self::default(), Self::default());
        // Whether the current group is for this agent, and for all.
        let (mut is_own, mut is_common) = (false, false);
        let (mut has_own, mut has_rule) = (false, false);
        for line in lines(text) {
            match parse_line(line) {
                Some(Line::Agent(name)) => {
                    if std::mem::take(&mut has_rule) {
                        (is_own, is_common) = (false, false);
                    }
                    match name {
                        [b'*'] => is_common = true,
                        [b'*', next, ..] if next.is_ascii_whitespace() => is_common = true,
                        _ if product_token(name).eq_ignore_ascii_case(agent.as_bytes()) => {
                            (is_own, has_own) = (true, true);
                        }
                        _ => {}
                    }
                }
                Some(Line::Rule { allows, pattern }) => {
                    has_rule = true;
                    if is_own {
                        own.add(allows, pattern);
                    } else if is_common {
                        common.add(allows, pattern);
                    }
                }
                // Other lines do not end the list of agents (2.2.4), and neither does this one.
                Some(Line::CrawlDelay(text)) => {
                    let delay = parse_delay(text);
                    if is_own {
                        own.crawl_delay = own.crawl_delay.or(delay);
                    } else if is_common {
                        common.crawl_delay = common.crawl_delay.or(delay);
                    }
                }
                None => {}
            }
        }
        let mut rules = if has_own { own } else { common };
        let key = |rule: &Rule| (std::cmp::Reverse(rule.len()), !rule.allows);
        rules.rules.sort_by_key(key);
        rules
    }

    fn add(&mut self, allows: bool, pattern: &[u8]) {
        if pattern.is_empty() {
            return;
        }
        self.rules.push(Rule::new(allows, pattern));
        // As in Google's parser: who allows the index page allows the directory.
        let directory = pattern.iter().rposition(|byte| *byte == b'/');
        if let Some(at) = directory.filter(|at| pattern[at + 1..].starts_with(b"index.htm"))
            && allows
        {
            let pattern = [&pattern[..=at], b"$"].concat();
            self.rules.push(Rule::new(allows, &pattern));
        }
    }

    /// Whether the URL may be fetched. The longest pattern that matches decides.
    pub(super) fn allows(&self, url: &Url) -> bool {
        let target = &url[Position::BeforePath..Position::AfterQuery];
        if target == "/robots.txt" {
            return true;
        }
        let path = canonical_path(target.as_bytes());
        let mut rules = self.rules.iter();
        rules
            .find(|rule| rule.matches(&path))
            .is_none_or(|rule| rule.allows)
    }

    /// The memory use in bytes.
    pub(super) fn size(&self) -> usize {
        let patterns = self.rules.iter().map(|rule| rule.pattern.len());
        self.rules.len() * size_of::<Rule>() + patterns.sum::<usize>()
    }
}

impl Rule {
    fn new(allows: bool, pattern: &[u8]) -> Self {
        let (pattern, is_anchored) = match pattern.strip_suffix(b"$") {
            Some(pattern) => (pattern, true),
            None => (pattern, false),
        };
        Self {
            allows,
            is_anchored,
            pattern: canonical_pattern(pattern).into(),
        }
    }

    fn len(&self) -> usize {
        self.pattern.len() + usize::from(self.is_anchored)
    }

    /// Whether the pattern matches the beginning of `path`, or all of it. Takes linear time: after the
    /// first literal, the leftmost place of each is as good as any other.
    fn matches(&self, path: &str) -> bool {
        let mut literals = self.pattern.split('*');
        let first = literals.next().unwrap_or_default();
        let Some(mut rest) = path.strip_prefix(first) else {
            return false;
        };
        let Some(last) = literals.next_back() else {
            return !self.is_anchored || rest.is_empty();
        };
        for literal in literals {
            match memmem::find(rest.as_bytes(), literal.as_bytes()) {
                Some(at) => rest = &rest[at + literal.len()..],
                None => return false,
            }
        }
        match self.is_anchored {
            true => rest.ends_with(last),
            false => memmem::find(rest.as_bytes(), last.as_bytes()).is_some(),
        }
    }
}

/// The lines without their ends: LF, CR or both.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    // A byte order mark, or the part of it that an editor left.
    let mark = b"\xef\xbb\xbf".iter().zip(text);
    let mark = mark.take_while(|(a, b)| a == b).count();
    let lines = text[mark..].split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.map(|line| &line[..line.len().min(MAX_LINE)])
}

fn parse_line(line: &[u8]) -> Option<Line<'_>> {
    let line = line.split(|byte| *byte == b'#').next()?.trim_ascii();
    let (key, value) = match memchr::memchr(b':', line) {
        Some(at) => (&line[..at], &line[at + 1..]),
        // Without a colon, as Google accepts it: exactly two words.
        None => {
            let at = line.iter().position(|byte| matches!(byte, b' ' | b'\t'))?;
            let value = line[at..].trim_ascii();
            if value.iter().any(u8::is_ascii_whitespace) {
                return None;
            }
            (&line[..at], value)
        }
    };
    let (key, value) = (key.trim_ascii().to_ascii_lowercase(), value.trim_ascii());
    Some(match &*key {
        b"user-agent" | b"useragent" | b"user agent" => Line::Agent(value),
        b"allow" => Line::Rule {
            allows: true,
            pattern: value,
        },
        // With the mistakes that Google accepts.
        b"disallow" | b"dissallow" | b"dissalow" | b"disalow" | b"diasllow" | b"disallaw" => {
            Line::Rule {
                allows: false,
                pattern: value,
            }
        }
        b"crawl-delay" => Line::CrawlDelay(value),
        _ => return None,
    })
}

/// A number of seconds.
fn parse_delay(text: &[u8]) -> Option<Duration> {
    let seconds: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let delay = Duration::try_from_secs_f64(seconds).ok()?;
    (!delay.is_zero()).then_some(delay)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Table {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        agent: String,
        #[serde(default)]
        allowed: Vec<String>,
        name: String,
        #[serde(default)]
        refused: Vec<String>,
        #[serde(default)]
        refused_by_google_only: Vec<Difference>,
        robots: Vec<String>,
    }

    #[derive(Deserialize)]
    struct Difference {
        url: String,
    }

    fn allows(text: &str, agent: &str, url: &str) -> bool {
        RobotsRules::parse(text.as_bytes(), agent).allows(&url.parse().unwrap())
    }

    #[test]
    fn published_cases_of_google_pass() {
        let table: Table = serde_json::from_str(include_str!("google_cases.json")).unwrap();
        let mut count = 0;
        for case in &table.cases {
            let text = case.robots.join("\n");
            let different = case.refused_by_google_only.iter().map(|case| &case.url);
            let expected = case.allowed.iter().chain(different).map(|url| (url, true));
            let refused = case.refused.iter().map(|url| (url, false));
            for (url, expected) in expected.chain(refused) {
                assert_eq!(
                    allows(&text, &case.agent, url),
                    expected,
                    "{}: {url}\n{text}",
                    case.name
                );
                count += 1;
            }
        }
        assert!(count > 130, "{count}");
    }

    #[test]
    fn a_long_line_is_cut() {
        let long = format!("/x/{}", "a".repeat(MAX_LINE - "disallow: /x/".len()));
        let text = format!("user-agent: FooBot\ndisallow: {long}/qux\n");
        assert!(allows(&text, "FooBot", "http://foo.bar/fux"));
        assert!(!allows(
            &text,
            "FooBot",
            &format!("http://foo.bar{long}/fux")
        ));
        assert!(allows(
            &text,
            "FooBot",
            &format!("http://foo.bar{}/fux", &long[..long.len() - 1])
        ));
    }

    #[test]
    fn byte_order_marks_are_skipped() {
        let rules = b"User-Agent: foo\nDisallow: /x\n";
        for (mark, is_skipped) in [
            (&b"\xef\xbb\xbf"[..], true),
            (b"\xef\xbb", true),
            (b"\xef", true),
            (b"\xef\x11\xbf", false),
        ] {
            let rules = RobotsRules::parse(&[mark, rules].concat(), "foo");
            assert_eq!(
                rules.allows(&"http://a.test/x".parse().unwrap()),
                !is_skipped,
                "{mark:?}"
            );
        }
    }

    #[test]
    fn a_crawl_delay_does_not_end_the_list_of_agents() {
        let text = "User-agent: a\nCrawl-delay: 5\nUser-agent: b\nDisallow: /x\n\nUser-agent: *\nDisallow: /\n";
        for agent in ["a", "b"] {
            assert!(!allows(text, agent, "http://a.test/x"), "{agent}");
            assert!(allows(text, agent, "http://a.test/y"), "{agent}");
        }
        let delay = |agent| RobotsRules::parse(text.as_bytes(), agent).crawl_delay;
        assert_eq!(delay("a"), Some(Duration::from_secs(5)));
        assert_eq!((delay("b"), delay("c")), (None, None));
    }

    #[test]
    fn spellings_of_a_path_are_one_path() {
        for (pattern, path) in [
            ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
            ("/%7Ejoe", "/~joe"),
            ("/~joe", "/%7ejoe"),
            ("/\u{e4}", "/%C3%A4"),
            ("/x?u=https://a", "/x?u=https%3A%2F%2Fa"),
            ("/a%2Ab", "/a*b"),
            ("/a%24", "/a$"),
        ] {
            let text = format!("User-agent: *\nDisallow: {pattern}\n");
            assert!(
                !allows(&text, "bot", &format!("http://a.test{path}")),
                "{pattern} {path}"
            );
        }
        let text = "User-agent: *\nDisallow: /a%2Fb\nDisallow: /c%2Ad$\n";
        for path in ["/a/b", "/cxd", "/c*de"] {
            assert!(
                allows(text, "bot", &format!("http://a.test{path}")),
                "{path}"
            );
        }
    }

    /// Google's algorithm: all places at which the pattern so far may end.
    fn matches_slowly(pattern: &str, is_anchored: bool, path: &str) -> bool {
        let mut ends = vec![0];
        for byte in pattern.bytes() {
            ends = match byte {
                b'*' => (ends.first().copied().unwrap_or(path.len() + 1)..=path.len()).collect(),
                _ => {
                    let next = ends
                        .iter()
                        .filter(|at| path.as_bytes().get(**at) == Some(&byte));
                    next.map(|at| at + 1).collect()
                }
            };
        }
        match is_anchored {
            true => ends.last() == Some(&path.len()),
            false => !ends.is_empty(),
        }
    }

    #[test]
    fn matching_is_that_of_googles_algorithm() {
        let words = |letters: &'static [u8], max: u32| {
            (0..=max).flat_map(move |length| {
                (0..letters.len().pow(length)).map(move |mut number| {
                    (0..length).fold(String::new(), |mut word, _| {
                        word.push(char::from(letters[number % letters.len()]));
                        number /= letters.len();
                        word
                    })
                })
            })
        };
        let paths: Vec<_> = words(b"ab", 5).collect();
        for pattern in words(b"ab*", 5) {
            for is_anchored in [false, true] {
                let rule = Rule {
                    allows: true,
                    is_anchored,
                    pattern: pattern.as_str().into(),
                };
                for path in &paths {
                    let expected = matches_slowly(&pattern, is_anchored, path);
                    assert_eq!(
                        rule.matches(path),
                        expected,
                        "{pattern} {is_anchored} {path}"
                    );
                }
            }
        }
    }
}
