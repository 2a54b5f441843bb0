//! Removes secrets from URLs without changing the core's decisions about them.

mod json;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};

use fetch_proto::{has_secret, is_secret_parameter, replace_secrets};
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
        match user_info_range(before) {
            None => self.replace(url),
            Some((from, to)) => {
                let query = query.map_or_else(String::new, |query| format!("?{query}"));
                let url = [&before[..from], &before[to + 1..], &query].concat();
                Cow::Owned(self.replace(&url).into_owned())
            }
        }
    }

    /// Redacts the value of a `Location` field. Resolving the result gives the redacted form of the URL
    /// that the original resolves to by the URL Standard.
    pub(crate) fn redact_location<'a>(&self, location: &'a str) -> Cow<'a, str> {
        if !location.contains(['@', '?', '#', '\t']) && !has_secret(location) {
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
        if has_secret(&text) {
            text = encode_path(&text);
        }
        if let Some(query) = query {
            // The digest uses the encoded query, so the hash of a value does too.
            let encoded = encoded_query(&location[..fragment]);
            text.extend(["?", encoded.as_deref().unwrap_or(query)]);
        }
        let mut text = self.replace(&text).into_owned();
        text.push_str(mark);
        Cow::Owned(text)
    }

    /// Replaces values of parameters, and tokens.
    fn replace<'a>(&self, text: &'a str) -> Cow<'a, str> {
        replace_secrets(text, |secret| self.placeholder(secret))
    }

    fn placeholder(&self, secret: &str) -> String {
        format!("REDACTED-{:016x}", self.key.hash_one(secret))
    }

    /// Returns a rule pattern that matches nothing.
    fn placeholder_pattern(&self, pattern: &str) -> String {
        self.placeholder(pattern)
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
    let mut parts = url.split("REDACTED-");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_hash = part
            .get(..16)
            .is_some_and(|hash| hash.bytes().all(|b| b.is_ascii_hexdigit()));
        text.extend(match is_hash {
            true => ["REDACTED", &part[16..]],
            false => ["REDACTED-", part],
        });
    }
    text
}

/// Returns whether a rule's pattern contains, or may contain, a secret.
fn pattern_has_secret(pattern: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    pattern.match_indices('=').any(|(at, _)| {
        let name = pattern[..at].rsplit(|c| !is_name(c)).next();
        name.is_some_and(is_secret_parameter)
    }) || has_secret(pattern)
}

fn split_query(url: &str) -> (&str, Option<&str>) {
    match url.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (url, None),
    }
}

/// Encodes what the URL Standard encodes in paths, so that the hash of a value is that of the encoded one.
fn encode_path(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim_matches(|c| c <= ' ').chars() {
        if c.is_ascii() && !c.is_ascii_control() && !" \"<>`{}".contains(c) {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
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
