//! User names and passwords before the host of a URL.

use alloc::vec::Vec;
use core::ops::Range;

/// Finds user and password of each URL, also of an invalid one, and of one without a scheme if it has a
/// password.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let Some(last) = text.rfind('@') else {
        return;
    };
    let is_end = |c: char| c.is_whitespace() || c == '"';
    let mut start = 0;
    for word in text[..=last].split_inclusive(is_end) {
        let end = start + word.trim_end_matches(is_end).len();
        find_in_word(text, start..end, found);
        start += word.len();
    }
}

fn find_in_word(text: &str, word: Range<usize>, found: &mut Vec<Range<usize>>) {
    let last = text[word.clone()].rfind('@').map(|last| word.start + last);
    let mut at = authority_without_slashes(text, word.clone(), found);
    while let Some(slash) = text[at.min(word.end)..word.end].find(is_slash) {
        let start = at + slash;
        let slashes = text[start..word.end]
            .bytes()
            .take_while(|byte| matches!(byte, b'/' | b'\\'));
        let count = slashes.count();
        at = start + count;
        if count < 2 {
            continue;
        }
        let sign = last.filter(|last| *last >= at);
        let sign = sign.and_then(|_| sign_in_word(text, at..word.end));
        let sign = sign.or_else(|| {
            // A password may have spaces.
            let is_end = |c| is_authority_end(c) || c == '\n';
            let end = text[at..].find(is_end).map_or(text.len(), |end| at + end);
            let user = &text[at..end];
            has_password(user)
                .then(|| user.rfind('@'))
                .flatten()
                .map(|sign| at + sign)
        });
        if let Some(sign) = sign {
            push(text, at..sign, found);
            at = sign;
        }
    }
}

/// Handles the start of a word, where the slashes or the scheme may be missing. Returns where the search
/// for slashes begins.
fn authority_without_slashes(
    text: &str,
    word: Range<usize>,
    found: &mut Vec<Range<usize>>,
) -> usize {
    let bare = text[word.clone()].trim_start_matches(['\'', '(', '<', '`']);
    let is_scheme = |scheme: &&str| {
        let start = bare.as_bytes().get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    let start = word.end - bare.len();
    if is_scheme(&"mailto:") {
        return start;
    }
    let scheme = ["http:", "https:"]
        .into_iter()
        .find(is_scheme)
        .map_or(0, str::len);
    let start = start + scheme;
    match sign_in_word(text, start..word.end) {
        Some(sign) if scheme > 0 || text[start..sign].contains(':') => {
            push(text, start..sign, found);
            sign
        }
        _ => start,
    }
}

/// The `@` that ends user and password, if an authority begins where the word does.
fn sign_in_word(text: &str, word: Range<usize>) -> Option<usize> {
    let rest = &text[word.clone()];
    let authority = &rest[..rest.find(is_authority_end).unwrap_or(rest.len())];
    let sign = authority.rfind('@').or_else(|| {
        // A password with a slash or the like makes a URL invalid.
        has_password(authority).then(|| rest.rfind('@')).flatten()
    });
    sign.map(|sign| word.start + sign)
}

/// Whether what follows the first colon is no port.
fn has_password(authority: &str) -> bool {
    let port = authority.split_once(':').map_or("", |(_, port)| port);
    !authority.starts_with('[') && port.chars().any(|c| !c.is_ascii_digit())
}

fn push(text: &str, user: Range<usize>, found: &mut Vec<Range<usize>>) {
    match text[user.clone()].find(':') {
        Some(colon) => {
            let colon = user.start + colon;
            found.extend([user.start..colon, colon + 1..user.end]);
        }
        None => found.push(user),
    }
}

fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\\')
}

fn is_authority_end(c: char) -> bool {
    is_slash(c) || matches!(c, '?' | '#')
}
