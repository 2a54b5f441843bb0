//! Challenges: what `WWW-Authenticate` and `Proxy-Authenticate` ask for (RFC 9110, 11.6.1).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// The most challenges that are read from one response. Servers send one to three.
const MAX_CHALLENGES: usize = 32;

/// One challenge of a response: a scheme, and its parameters or its token.
///
/// ```
/// use fetch_proto::AuthChallenge;
///
/// let fields = [r#"Bearer realm="api", error="invalid_token", Basic realm="a \"b\"""#];
/// let found = AuthChallenge::parse_all(fields);
/// assert!(found[0].is_scheme("bearer"));
/// assert_eq!(found[0].parameter("error"), Some("invalid_token"));
/// assert_eq!(found[1].parameter("realm"), Some(r#"a "b""#));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct AuthChallenge {
    /// Names in lower case, values without quotes.
    parameters: Vec<(String, String)>,
    /// The scheme as the server writes it.
    pub scheme: String,
    /// The token that stands in place of parameters, as with `Negotiate`.
    pub token: Option<String>,
}

impl AuthChallenge {
    /// All challenges in the values of the fields, in their order. Reading of a value ends where it
    /// is malformed: what stands before is returned, the broken challenge is not.
    ///
    /// ```
    /// let found = fetch_proto::AuthChallenge::parse_all([r#"Basic realm="x", Digest nonce="open"#]);
    /// assert_eq!(found.len(), 1);
    /// ```
    #[must_use]
    pub fn parse_all<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        let mut challenges = Vec::new();
        for value in values {
            let mut scanner = ChallengeScanner { rest: value };
            while challenges.len() < MAX_CHALLENGES
                && let Some(challenge) = scanner.next_challenge()
            {
                challenges.push(challenge);
            }
        }
        challenges
    }

    /// Whether the challenge has this scheme; case does not matter.
    ///
    /// ```
    /// let found = fetch_proto::AuthChallenge::parse_all(["BASIC realm=x"]);
    /// assert!(found[0].is_scheme("Basic"));
    /// ```
    #[must_use]
    pub fn is_scheme(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The value of the parameter with this name, which is given in lower case. If the parameter is
    /// repeated, the first counts.
    ///
    /// ```
    /// let found = fetch_proto::AuthChallenge::parse_all(["Basic Realm=x"]);
    /// assert_eq!(found[0].parameter("realm"), Some("x"));
    /// ```
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.parameters.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| &**value)
    }
}

/// Reads one field value from its start to its end.
struct ChallengeScanner<'a> {
    rest: &'a str,
}

impl<'a> ChallengeScanner<'a> {
    fn next_challenge(&mut self) -> Option<AuthChallenge> {
        self.skip_commas();
        let scheme = self.token()?;
        let mut challenge = AuthChallenge {
            parameters: Vec::new(),
            scheme: scheme.to_owned(),
            token: None,
        };
        if !self.rest.is_empty() && !self.rest.starts_with([' ', '\t', ',']) {
            self.rest = "";
            return None;
        }
        self.skip_whitespace();
        if let Some(token) = self.token68() {
            challenge.token = Some(token.to_owned());
            return Some(challenge);
        }
        loop {
            // A name without `=` begins the next challenge.
            let before = self.rest;
            self.skip_commas();
            match self.parameter() {
                Some(Some((name, value))) => {
                    challenge
                        .parameters
                        .push((name.to_ascii_lowercase(), value));
                }
                Some(None) => {
                    self.rest = before;
                    return Some(challenge);
                }
                None => {
                    self.rest = "";
                    return None;
                }
            }
            if !self.at_separator() {
                self.rest = "";
                return None;
            }
        }
    }

    /// The next parameter; `Some(None)` if there is none, `None` if it is malformed.
    fn parameter(&mut self) -> Option<Option<(&'a str, String)>> {
        let Some(name) = self.token() else {
            return self.rest.is_empty().then_some(None);
        };
        self.skip_whitespace();
        let Some(rest) = self.rest.strip_prefix('=') else {
            return Some(None);
        };
        self.rest = rest;
        self.skip_whitespace();
        let value = match self.rest.starts_with('"') {
            true => self.quoted_string()?,
            false => self.token()?.to_owned(),
        };
        Some(Some((name, value)))
    }

    /// A `token68`, if one stands here and nothing but a comma follows it.
    fn token68(&mut self) -> Option<&'a str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let padding = self.rest[end..].bytes().take_while(|b| *b == b'=').count();
        let (token, rest) = self.rest.split_at(end + padding);
        let follows = rest.trim_start_matches([' ', '\t']);
        let is_whole = end > 0 && (follows.is_empty() || follows.starts_with(','));
        self.rest = if is_whole { rest } else { self.rest };
        is_whole.then_some(token)
    }

    fn token(&mut self) -> Option<&'a str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        (end > 0).then_some(token)
    }

    /// The value of the quoted string that stands here, without its backslashes.
    fn quoted_string(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                c => value.push(c),
            }
        }
        None
    }

    /// Whether the value ends here, or a comma follows.
    fn at_separator(&self) -> bool {
        let follows = self.rest.trim_start_matches([' ', '\t']);
        follows.is_empty() || follows.starts_with(',')
    }

    fn skip_whitespace(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn skip_commas(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn read(value: &str) -> String {
        let found = AuthChallenge::parse_all([value]);
        let texts = found.iter().map(|one| {
            let parameters = one.parameters.iter();
            let parameters = parameters.map(|(name, value)| format!(" {name}=<{value}>"));
            let token = one.token.iter().map(|token| format!(" {token}"));
            let rest: String = token.chain(parameters).collect();
            format!("{}{rest}", one.scheme)
        });
        texts.collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn challenges_are_read_as_rfc_9110_writes_them() {
        let cases = [
            ("", ""),
            ("Basic", "Basic"),
            ("Negotiate", "Negotiate"),
            ("Negotiate YWJj==", "Negotiate YWJj=="),
            (r#"Basic realm="x""#, "Basic realm=<x>"),
            ("Basic realm = x", "Basic realm=<x>"),
            ("Basic ,realm=x", "Basic realm=<x>"),
            (r#"Basic realm="a, b=c""#, "Basic realm=<a, b=c>"),
            (r#"Basic realm="a\"\\b""#, r#"Basic realm=<a"\b>"#),
            (
                r#"Newauth realm="apps", type=1, title="Login", Basic realm="simple""#,
                "Newauth realm=<apps> type=<1> title=<Login> | Basic realm=<simple>",
            ),
            ("Negotiate, Basic realm=x", "Negotiate | Basic realm=<x>"),
            ("Basic realm=x,, ,Bearer", "Basic realm=<x> | Bearer"),
            (
                "Negotiate abc=, Digest nonce=1",
                "Negotiate abc= | Digest nonce=<1>",
            ),
            ("Digest nonce=1,qop=auth,", "Digest nonce=<1> qop=<auth>"),
        ];
        for (value, expected) in cases {
            assert_eq!(read(value), expected, "{value}");
        }
    }

    #[test]
    fn a_malformed_challenge_is_dropped_and_those_before_it_are_kept() {
        let cases = [
            (r#"Basic realm="open"#, ""),
            (r#"Basic realm="x" y"#, ""),
            (r#"Basic realm="x", Digest nonce="open"#, "Basic realm=<x>"),
            ("Basic realm=,x=", "Basic realm="),
            ("=x", ""),
            ("Basic\u{7f}realm=x", ""),
        ];
        for (value, expected) in cases {
            assert_eq!(read(value), expected, "{value}");
        }
    }

    #[test]
    fn several_fields_are_one_list() {
        let found = AuthChallenge::parse_all(["Basic realm=x", "Bearer"]);
        assert_eq!(found.len(), 2);
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(value in r#"[ -~]{0,40}|([A-Za-z]+ ([a-z]+="?[ -~]*"?,? ?)*){0,3}"#) {
            for challenge in AuthChallenge::parse_all([value.as_str()]) {
                prop_assert!(value.contains(&challenge.scheme));
            }
        }

        #[test]
        fn quoted_values_come_back_as_they_were(realm in "[ -~]{0,20}") {
            let quoted = realm.replace('\\', r"\\").replace('"', "\\\"");
            let found = AuthChallenge::parse_all([format!("Basic realm=\"{quoted}\"").as_str()]);
            prop_assert_eq!(found[0].parameter("realm"), Some(&*realm));
        }
    }
}
