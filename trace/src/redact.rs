//! Removes secrets from URLs without changing the core's decisions about them.

mod json;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};

use fetch_proto::is_secret_parameter;
use url::Url;

pub(crate) use self::json::redact_json;

/// Removes secrets from URLs.
///
/// - User name, password and fragment are removed.
/// - The value of a query parameter with a [secret name](fetch_proto::is_secret_parameter) becomes `REDACTED-` and 16
///   digits: a hash of the value with a random key that is never stored. Equal values have equal
///   digits, so equal URLs stay equal, but values cannot be found by trying them out.
///
/// Scheme, host, port and path stay, so host limits and redirect targets are the same.
#[derive(Debug, Default)]
pub(crate) struct UrlRedactor {
    key: RandomState,
}

impl UrlRedactor {
    /// Redacts a URL in the form of [`Url::as_str`].
    pub(crate) fn redact_url<'a>(&self, url: &'a str) -> Cow<'a, str> {
        let url = without_fragment(url);
        let (before, query) = split_query(url);
        let user = user_info_range(before);
        let query_hides = query.is_some_and(query_has_secret);
        if user.is_none() && !query_hides {
            return Cow::Borrowed(url);
        }
        let mut text = String::with_capacity(url.len() + 32);
        match user {
            Some((from, to)) => text.extend([&before[..from], &before[to + 1..]]),
            None => text.push_str(before),
        }
        if let Some(query) = query {
            self.push_query(&mut text, query);
        }
        Cow::Owned(text)
    }

    /// Redacts the value of a `Location` field. Resolving the result gives the redacted form of the URL
    /// that the original resolves to by the URL Standard.
    pub(crate) fn redact_location<'a>(&self, location: &'a str) -> Cow<'a, str> {
        if !location.contains(['@', '?', '#', '\t']) {
            return Cow::Borrowed(location);
        }
        // URL parsing ignores tabs, so a tab must not hide a secret name or a user.
        let location = location.replace('\t', "");
        let fragment = location.find('#').unwrap_or(location.len());
        let mark = if fragment < location.len() { "#" } else { "" };
        let (before, query) = split_query(&location[..fragment]);
        let mut text = match user_info_range(before) {
            // A placeholder, so that the rest parses, or fails to, as before.
            Some((from, to)) => format!("{}REDACTED{}", &before[..from], &before[to..]),
            None => before.to_owned(),
        };
        if let Some(query) = query {
            // The digest uses the encoded query, so the hash of a value does too.
            let encoded = encoded_query(&location[..fragment]);
            self.push_query(&mut text, encoded.as_deref().unwrap_or(query));
        }
        text.push_str(mark);
        Cow::Owned(text)
    }

    /// Returns a rule pattern that matches nothing.
    fn placeholder_pattern(&self, pattern: &str) -> String {
        format!("REDACTED-{:016x}", self.key.hash_one(pattern))
    }

    /// Appends `?` and the query with its secret values replaced.
    fn push_query(&self, text: &mut String, query: &str) {
        for (i, pair) in query.split('&').enumerate() {
            text.push(if i == 0 { '?' } else { '&' });
            match secret_pair(pair) {
                Some((name, value)) => {
                    let hash = self.key.hash_one(value);
                    // Writing to a String cannot fail.
                    let _ = write!(text, "{name}=REDACTED-{hash:016x}");
                }
                None => text.push_str(pair),
            }
        }
    }
}

/// Returns the URL without its fragment.
pub(crate) fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(before, _)| before)
}

/// Redacts a URL with placeholders that have no hash, so that the result is the same for the
/// original URL and for the redacted one, and needs no key.
pub(crate) fn mask_url(url: &str) -> String {
    let url = UrlRedactor::default().redact_url(url).into_owned();
    let (before, query) = split_query(&url);
    let mut text = before.to_owned();
    for (i, pair) in query.iter().flat_map(|query| query.split('&')).enumerate() {
        text.push(if i == 0 { '?' } else { '&' });
        match secret_pair(pair) {
            Some((name, _)) => text.extend([name, "=REDACTED"]),
            None => text.push_str(pair),
        }
    }
    text
}

/// Returns whether a rule's pattern contains, or may contain, a secret.
fn pattern_has_secret(pattern: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    pattern.match_indices('=').any(|(at, _)| {
        let name = pattern[..at].rsplit(|c| !is_name(c)).next();
        name.is_some_and(is_secret_parameter)
    })
}

fn split_query(url: &str) -> (&str, Option<&str>) {
    match url.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (url, None),
    }
}

fn query_has_secret(query: &str) -> bool {
    query.split('&').any(|pair| secret_pair(pair).is_some())
}

fn secret_pair(pair: &str) -> Option<(&str, &str)> {
    pair.split_once('=')
        .filter(|(name, value)| !value.is_empty() && is_secret_parameter(name))
}

/// Returns the range of user name and password: the start, and the position of the `@`.
fn user_info_range(before_query: &str) -> Option<(usize, usize)> {
    let at = before_query.rfind('@')?;
    let scheme = before_query.find(':').filter(|colon| {
        let scheme = before_query[..*colon].trim_start();
        !scheme.is_empty()
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    let begin = scheme.map_or(0, |colon| colon + 1);
    let rest = &before_query[begin..];
    // In http URLs, `\` equals `/`, and parsers accept any number of slashes.
    let authority = rest.trim_start_matches(|c: char| matches!(c, '/' | '\\') || c <= ' ');
    let slashes = rest.len() - authority.len();
    if scheme.is_none() && slashes < 2 {
        return None;
    }
    let from = begin + slashes;
    let end = from + authority.find(['/', '\\']).unwrap_or(authority.len());
    if at < from {
        return None;
    }
    let at = before_query[from..end].rfind('@')? + from;
    Some((from, at))
}

/// Returns the encoded query of the URL that `location` resolves to. It is the same for every base.
fn encoded_query(location: &str) -> Option<String> {
    ["http://a/", "https://a/"].iter().find_map(|base| {
        let base = Url::parse(base).ok()?;
        Some(base.join(location).ok()?.query()?.to_owned())
    })
}
