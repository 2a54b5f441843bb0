//! Tokens that are recognised by their form, wherever they stand.

use alloc::vec::Vec;
use core::ops::Range;

/// How tokens of common services begin, and how many letters, digits, `-`, `_` and `.` follow at least.
const TOKEN_FORMS: [(&str, usize); 37] = [
    ("AIza", 30),
    ("AKIA", 16),
    ("ASIA", 16),
    ("ATATT3", 20),
    ("EAACEdEose0cBA", 10),
    ("GOCSPX-", 16),
    ("SG.", 40),
    ("dapi", 32),
    ("dckr_pat_", 16),
    ("dop_v1_", 32),
    ("gho_", 20),
    ("ghp_", 20),
    ("ghr_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("hf_", 30),
    ("hvs.", 20),
    ("npm_", 30),
    ("pypi-", 40),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("shpat_", 20),
    ("sk-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("sq0atp-", 16),
    ("sq0csp-", 16),
    ("whsec_", 16),
    ("xapp-", 10),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("ya29.", 16),
];

/// Schemes of `Authorization`, in lower case.
const AUTH_SCHEMES: [&str; 4] = ["basic", "bearer", "negotiate", "token"];

/// The fewest characters that are taken for credentials behind such a scheme.
const MIN_CREDENTIALS: usize = 8;

/// Paths whose rest is a secret: web hooks need no other authentication.
const SECRET_PATHS: [&str; 2] = ["//hooks.slack.com/services/", "/api/webhooks/"];

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let (mut at, mut skip_to) = (0, 0);
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        if at >= skip_to {
            match at_word(text, at, found) {
                Some(end) => skip_to = end,
                None => at_scheme(text, at, word, found),
            }
        }
        at += word.len();
    }
    for path in SECRET_PATHS {
        for (at, _) in text.match_indices(path) {
            let start = at + path.len();
            let end =
                text[start..].find(|c: char| c.is_whitespace() || matches!(c, '?' | '#' | '"'));
            found.push(start..end.map_or(text.len(), |end| start + end));
        }
    }
}

/// Finds a token that begins at `at`, where a word begins. Returns up to where no other can begin.
fn at_word(text: &str, at: usize, found: &mut Vec<Range<usize>>) -> Option<usize> {
    let rest = &text[at..];
    let first = rest.bytes().next()?;
    let is_start =
        |prefix: &str| prefix.as_bytes().first() == Some(&first) && rest.starts_with(prefix);
    let mut forms = TOKEN_FORMS.iter();
    let (least, is_jwt) = match forms.find(|(prefix, _)| is_start(prefix)) {
        Some((prefix, least)) => (prefix.len() + least, false),
        None if rest.starts_with("eyJ") => (16, true),
        None => return bot_token(rest).map(|length| push(at, length, found)),
    };
    let length = token_length(rest);
    // A JWT begins with a JSON object in base64.
    let is_token = !is_jwt || rest[..length].contains('.');
    if length >= least && is_token {
        return Some(push(at, length, found));
    }
    is_jwt.then_some(at + length)
}

fn push(at: usize, length: usize, found: &mut Vec<Range<usize>>) -> usize {
    found.push(at..at + length);
    at + length
}

/// The length of `botNUMBER:KEY`, as in paths of Telegram's API.
fn bot_token(rest: &str) -> Option<usize> {
    let number = rest.strip_prefix("bot")?;
    let key = number.trim_start_matches(|c: char| c.is_ascii_digit());
    let (digits, key) = (number.len() - key.len(), key.strip_prefix(':')?);
    let length = token_length(key);
    (digits > 0 && length >= 30).then(|| rest.len() - key.len() + length)
}

/// Finds credentials behind the name of an authentication scheme.
fn at_scheme(text: &str, at: usize, word: &str, found: &mut Vec<Range<usize>>) {
    let name = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_scheme = AUTH_SCHEMES
        .iter()
        .any(|scheme| name.eq_ignore_ascii_case(scheme));
    let rest = &text[at + name.len()..];
    let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    if !is_scheme || spaces == 0 {
        return;
    }
    let value = &rest[spaces..];
    let is_end = |c: char| !c.is_ascii_alphanumeric() && !"-._~+/=".contains(c);
    let length = value.find(is_end).unwrap_or(value.len());
    // A word of a sentence has lower letters only.
    let is_word = value[..length]
        .trim_end_matches('.')
        .bytes()
        .all(|byte| byte.is_ascii_lowercase());
    if length >= MIN_CREDENTIALS && !is_word {
        let start = at + name.len() + spaces;
        found.push(start..start + length);
    }
}

fn token_length(text: &str) -> usize {
    let is_end = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.');
    text.find(is_end).unwrap_or(text.len())
}
