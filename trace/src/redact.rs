//! URLs without their secrets, such that the core decides the same about them.

use std::borrow::Cow;
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};

use url::Url;

/// Takes secrets out of URLs.
///
/// - User name and password are left out, and the fragment, which is never sent.
/// - The value of a query parameter with a [secret name](is_secret) becomes `REDACTED-` and 16
///   digits: a hash of the value, keyed with random bits that are never stored. Equal values have
///   equal digits, so that URLs which were the same still are, but nobody can try out values.
///
/// Scheme, host, port and path stay, so the host's queue and limits are the same, and so is what a
/// redirect leads to.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    key: RandomState,
}

/// Names of query parameters whose values are secret, in lower case and in order: the same as
/// `fetch_driver::Redacted` hides.
const SECRET: [&str; 24] = [
    "access_token",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "awsaccesskeyid",
    "client_secret",
    "code",
    "id_token",
    "key",
    "passwd",
    "password",
    "pwd",
    "refresh_token",
    "secret",
    "session",
    "sig",
    "signature",
    "token",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-goog-credential",
    "x-goog-signature",
];

/// Whether a query parameter of this name has a secret value. Case is ignored.
///
/// ```
/// assert!(fetch_trace::is_secret("Api_Key") && !fetch_trace::is_secret("monkey"));
/// ```
#[must_use]
pub fn is_secret(name: &str) -> bool {
    SECRET
        .iter()
        .any(|secret| secret.eq_ignore_ascii_case(name))
}

impl Redactor {
    /// A URL as [`Url::as_str`] gives it.
    pub(crate) fn url<'a>(&self, url: &'a str) -> Cow<'a, str> {
        let url = without_fragment(url);
        let (before, query) = split_query(url);
        let user = user(before);
        let query_hides = query.is_some_and(has_secret);
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

    /// A `Location` field's value, of which the core makes a URL as the URL Standard says. The
    /// redacted one leads to the redacted form of where it leads.
    pub(crate) fn location<'a>(&self, location: &'a str) -> Cow<'a, str> {
        if !location.contains(['@', '?', '#', '\t']) {
            return Cow::Borrowed(location);
        }
        // Parsing ignores tabs, so they may hide neither a name nor a user.
        let location = location.replace('\t', "");
        let fragment = location.find('#').unwrap_or(location.len());
        let mark = if fragment < location.len() { "#" } else { "" };
        let (before, query) = split_query(&location[..fragment]);
        let mut text = match user(before) {
            // A placeholder: what remains must fail, or not, as it did before.
            Some((from, to)) => format!("{}REDACTED{}", &before[..from], &before[to..]),
            None => before.to_owned(),
        };
        if let Some(query) = query {
            // The core hashes the query in its encoded form, so that is what is replaced.
            let encoded = encoded_query(&location[..fragment]);
            self.push_query(&mut text, encoded.as_deref().unwrap_or(query));
        }
        text.push_str(mark);
        Cow::Owned(text)
    }

    /// A rule's pattern that matches nothing.
    pub(crate) fn pattern(&self, pattern: &str) -> String {
        format!("REDACTED-{:016x}", self.key.hash_one(pattern))
    }

    /// `?` and the query, its secret values replaced.
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

/// The URL without `#` and what follows.
pub(crate) fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(before, _)| before)
}

/// The URL without the digits of its placeholders: the form that everybody can make who knows the
/// URL but not the key.
pub(crate) fn masked(url: &str) -> String {
    let url = Redactor::default().url(url).into_owned();
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

/// Whether the text of a rule's pattern has, or may have, a secret in it.
pub(crate) fn pattern_has_secret(pattern: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    pattern.match_indices('=').any(|(at, _)| {
        let name = pattern[..at].rsplit(|c| !is_name(c)).next();
        name.is_some_and(is_secret)
    })
}

fn split_query(url: &str) -> (&str, Option<&str>) {
    match url.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (url, None),
    }
}

fn has_secret(query: &str) -> bool {
    query.split('&').any(|pair| secret_pair(pair).is_some())
}

fn secret_pair(pair: &str) -> Option<(&str, &str)> {
    pair.split_once('=')
        .filter(|(name, value)| !value.is_empty() && is_secret(name))
}

/// Where user and password stand: from there up to the `@`.
fn user(before_query: &str) -> Option<(usize, usize)> {
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
    // In http URLs, `\` is as good as `/`, and one too many or too few does no harm.
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

/// The query of the URL that the location leads to; the same for every base.
fn encoded_query(location: &str) -> Option<String> {
    ["http://a/", "https://a/"].iter().find_map(|base| {
        let base = Url::parse(base).ok()?;
        Some(base.join(location).ok()?.query()?.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholder(redactor: &Redactor, value: &str) -> String {
        format!("REDACTED-{:016x}", redactor.key.hash_one(value))
    }

    #[test]
    fn secrets_are_hidden_and_the_rest_is_kept() {
        let redactor = Redactor::default();
        let x = placeholder(&redactor, "x");
        let table = [
            ("http://a.test/", "http://a.test/".to_owned()),
            ("http://u@a.test/p", "http://a.test/p".to_owned()),
            (
                "http://u:p@[::1]:8080/p?q",
                "http://[::1]:8080/p?q".to_owned(),
            ),
            ("http://a.test/@me/1", "http://a.test/@me/1".to_owned()),
            (
                "http://a.test/?to=a@b.test",
                "http://a.test/?to=a@b.test".to_owned(),
            ),
            (
                "http://a.test/?Token=x&a=b",
                format!("http://a.test/?Token={x}&a=b"),
            ),
            (
                "http://a.test/?a=b&X-Amz-Signature=x",
                format!("http://a.test/?a=b&X-Amz-Signature={x}"),
            ),
            ("http://a.test/?token=", "http://a.test/?token=".to_owned()),
            ("http://a.test/#token=x", "http://a.test/".to_owned()),
        ];
        for (url, expected) in table {
            assert_eq!(redactor.url(url), expected, "{url}");
        }
    }

    #[test]
    fn equal_values_stay_equal_and_different_ones_different() {
        let redactor = Redactor::default();
        let url = |value: &str| {
            redactor
                .url(&format!("http://a.test/?key={value}"))
                .into_owned()
        };
        assert_eq!(url("one"), url("one"));
        assert_ne!(url("one"), url("two"));
        assert_ne!(
            url("one"),
            Redactor::default().url("http://a.test/?key=one")
        );
    }

    #[test]
    fn a_redacted_location_leads_to_the_redacted_form_of_where_it_led() {
        let redactor = Redactor::default();
        let bases = [
            "http://a.test/dir/page?token=old&x=1#part",
            "https://user:pass@a.test:8443/",
        ];
        let locations = [
            "",
            "#access_token=x",
            "/next",
            "next?token=a b'\"<é>&y=2#f",
            "?key=se\tcret",
            "?to\tken=secret",
            "//user:secret@b.test/x?sig=1",
            "https://user:secret@b.test/x?sig=1",
            "http:\\\\user:secret@b.test\\x?sig=1",
            "http:user:secret@b.test/x",
            "https:user:secret@b.test/x",
            " //user:secret@b.test",
            "/@user/x",
            "/x@y?pwd=1&pwd=2",
            "http://user:secret@/x",
            "http://user:secret@b.test:99999/?key=1",
            "http://a b/?key=secret",
            "mailto:user@b.test?code=1",
        ];
        for base in bases {
            let live = Url::parse(base).unwrap();
            let replayed = Url::parse(&redactor.url(base)).unwrap();
            for location in locations {
                let hidden = redactor.location(location);
                assert!(!hidden.contains("secret"), "{location:?}: {hidden:?}");
                let url = |base: &Url, location: &str| {
                    let mut url = base.join(location).ok()?;
                    // The core follows no other.
                    if !url.scheme().starts_with("http") {
                        return Some(String::new());
                    }
                    let _ = url.set_username("");
                    let _ = url.set_password(None);
                    Some(url.to_string())
                };
                let live = url(&live, location).map(|url| redactor.url(&url).into_owned());
                let replayed = url(&replayed, &hidden);
                let replayed = replayed.map(|url| without_fragment(&url).to_owned());
                // A path with an @ is not told from a user, where the scheme has no slashes.
                if !location.starts_with("http:user") && !location.starts_with("https:user") {
                    assert_eq!(live, replayed, "{base} {location:?} {hidden:?}");
                } else {
                    assert_eq!(live.is_some(), replayed.is_some(), "{base} {location:?}");
                }
            }
        }
    }

    #[test]
    fn a_masked_url_is_the_same_from_the_file_and_from_who_knows_it() {
        let url = "http://u:p@a.test/x?token=secret&n=1#f";
        let stored = Redactor::default().url(url).into_owned();
        assert_eq!(masked(&stored), masked(url));
        assert_eq!(masked(url), "http://a.test/x?token=REDACTED&n=1");
    }

    #[test]
    fn patterns_with_secrets_are_found() {
        for (pattern, hidden) in [
            ("/x?token=abc", true),
            ("glob:/x\\?*key=*", true),
            ("regex:[?&]Sig=(a|b)", true),
            ("/x?monkey=1", false),
            ("host:*.example.com", false),
        ] {
            assert_eq!(pattern_has_secret(pattern), hidden, "{pattern}");
        }
    }
}
