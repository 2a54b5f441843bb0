//! What is secret in a text: the one list of names and forms by which logs, records, recordings and
//! archives hide it.

mod names;
mod pairs;
#[cfg(test)]
mod tests;
mod tokens;
mod users;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::Range;

pub use self::names::{is_secret_field, is_secret_parameter};

/// The text that replaces a secret.
const PLACEHOLDER: &str = "REDACTED";

/// The most levels of percent-encoding that are decoded. What is encoded more often counts as secret.
const MAX_DEPTH: usize = 4;

/// Whether a text has a secret: user and password of a URL, a [secret parameter](is_secret_parameter),
/// a [secret field](is_secret_field), or a token. Percent-encoded values are searched, too.
///
/// ```
/// use fetch_proto::has_secret;
/// assert!(has_secret("https://a.test/?next=https%3A%2F%2Fb.test%2F%3Ftoken%3D1"));
/// assert!(!has_secret("https://a.test/?page=1"));
/// ```
#[must_use]
pub fn has_secret(text: &str) -> bool {
    !secret_ranges(text, MAX_DEPTH).is_empty()
}

/// The text with each secret replaced by `REDACTED`. It may be a URL, or anything that has URLs, header
/// fields, tokens, or pairs of a form or of JSON.
///
/// ```
/// use fetch_proto::redact_secrets;
/// assert_eq!(redact_secrets("http://me:pw@a.test/?id=1&sig=x"), "http://REDACTED:REDACTED@a.test/?id=1&sig=REDACTED");
/// assert_eq!(redact_secrets("/a;jsessionid=1/b"), "/a;jsessionid=REDACTED/b");
/// assert_eq!(redact_secrets("Authorization: Basic bWU6cHc="), "Authorization: REDACTED");
/// ```
#[must_use]
pub fn redact_secrets(text: &str) -> Cow<'_, str> {
    replace_secrets(text, |_| PLACEHOLDER.into())
}

/// The text with each secret replaced by what `placeholder` returns for it.
///
/// ```
/// use fetch_proto::replace_secrets;
/// assert_eq!(replace_secrets("/?sig=abc", |secret| format!("REDACTED-{}", secret.len())), "/?sig=REDACTED-3");
/// ```
#[must_use]
pub fn replace_secrets<'a>(
    text: &'a str,
    mut placeholder: impl FnMut(&str) -> String,
) -> Cow<'a, str> {
    let ranges = secret_ranges(text, MAX_DEPTH);
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut end = 0;
    for range in ranges {
        out.push_str(&text[end..range.start]);
        out.push_str(&placeholder(&text[range.clone()]));
        end = range.end;
    }
    out.push_str(&text[end..]);
    Cow::Owned(out)
}

/// Where the secrets are, in order and without overlaps. The time is linear in the length of the text.
fn secret_ranges(text: &str, depth: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    users::find(text, &mut found);
    pairs::find(text, depth, &mut found);
    tokens::find(text, &mut found);
    found.retain(|range| !range.is_empty());
    found.sort_unstable_by_key(|range| (range.start, Reverse(range.end)));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high * 16 + low));
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}
