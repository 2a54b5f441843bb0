//! Patterns and their text form.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::error::{RuleError, RuleErrorKind};
use super::syntax::PatternFault;
use super::url_pattern::{UrlPattern, has_prefix};
use crate::model::method::Method;

/// Maximum length of a text, which bounds the cost of a hostile one before compilation.
const MAX_TEXT: usize = 8 << 10;

/// What a rule matches: a set of URLs, a set of methods, or both.
///
/// A pattern matches the URL as it is sent: in ASCII, percent-encoded, with the host in lower case,
/// without default port, user, password and fragment.
///
/// | Text form | Matches |
/// |---|---|
/// | `/delay/` or `substring:/delay/` | URLs that contain the text; case-sensitive |
/// | `glob:example.com/*/x.{png,jpg}` | host, port and path: see [`RulePattern::glob`] |
/// | `glob:https://*.example.com/**` | scheme too |
/// | `glob:/api/**` | the path, on any host |
/// | `regex:/v[0-9]+/` | URLs in which the regular expression matches anywhere |
/// | `host:example.com`, `host:*.example.com:8080` | that host, or any subdomain of it |
/// | `method:POST,PUT` | requests with one of the methods |
/// | `method:POST /upload` | both: any of the other forms after a space |
///
/// ```
/// use fetch_proto::RulePattern;
///
/// let pattern: RulePattern = "method:POST glob:/upload/**".parse()?;
/// assert_eq!(pattern.to_string(), "method:POST glob:/upload/**");
/// # Ok::<(), fetch_proto::RuleError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct RulePattern {
    pub(super) methods: Vec<Method>,
    pub(super) url: Option<UrlPattern>,
}

impl RulePattern {
    /// URLs that contain `text`. Case-sensitive.
    ///
    /// # Errors
    ///
    /// The text is empty, longer than 8 KiB, or contains a character that no URL contains.
    ///
    /// ```
    /// use fetch_proto::RulePattern;
    /// let pattern = RulePattern::substring("/delay/")?;
    /// assert!(RulePattern::substring("two words").is_err());
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    pub fn substring(text: &str) -> Result<Self, RuleError> {
        if has_prefix(text) {
            return Self::parse(&format!("substring:{text}"));
        }
        Self::parse(text)
    }

    /// URLs that `glob` matches as a whole.
    ///
    /// - `?` is any character except `/` and `?`; `*` is any number of those.
    /// - `**` is any text before the query; `a/**/b` also matches `a/b`.
    /// - `[a-z]` and `[!a-z]` are one character; `{a,b}` is either alternative.
    /// - `\` makes the next character literal.
    ///
    /// A glob with `://` is matched against the whole URL, one that starts with `/` against the path
    /// on any host, any other against host, port and path. A query is ignored unless the glob
    /// contains one, as in `/search\?q=*`: there `*` is any text without `/`, and `**` any text.
    /// Scheme and host ignore case.
    ///
    /// # Errors
    ///
    /// A class or brace is not closed, or as in [`RulePattern::substring`].
    ///
    /// ```
    /// use fetch_proto::{Method, RulePattern, Policy, PolicyRules};
    ///
    /// let pattern = RulePattern::glob("*.example.com/img/**/*.{png,jpg}")?;
    /// let rules = PolicyRules::builder().rule(pattern, Policy::default()).build()?;
    /// let url = "https://cdn.example.com/img/a/b/c.png?size=2".parse()?;
    /// assert_eq!(rules.matching_rule(&Method::Get, &url), Some(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn glob(glob: &str) -> Result<Self, RuleError> {
        Self::parse(&format!("glob:{glob}"))
    }

    /// URLs in which `regex` matches anywhere; `^` and `$` are the start and end of the URL.
    ///
    /// The syntax is that of the crate `regex` without Unicode: `\w` and `(?i)` are limited to
    /// ASCII. Matching takes linear time in the length of the URL.
    ///
    /// # Errors
    ///
    /// The expression is invalid, empty, or exceeds 256 KiB when compiled.
    ///
    /// ```
    /// use fetch_proto::RulePattern;
    /// let pattern = RulePattern::regex(r"^https://[^/]+/v\d+/")?;
    /// assert!(RulePattern::regex("a{1000000}").is_err());
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    pub fn regex(regex: &str) -> Result<Self, RuleError> {
        Self::parse(&format!("regex:{regex}"))
    }

    /// URLs on `host`: a name, `*.` and a name for all its subdomains but not itself, or an IP
    /// address (IPv6 in brackets), optionally followed by `:` and a port. Without a port, every port
    /// matches.
    ///
    /// Case is ignored; a name with non-ASCII letters is converted to its ASCII form.
    ///
    /// # Errors
    ///
    /// The host or port is invalid.
    ///
    /// ```
    /// use fetch_proto::RulePattern;
    /// let pattern = RulePattern::host("*.example.com:8080")?;
    /// assert!(RulePattern::host("https://example.com/").is_err());
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    pub fn host(host: &str) -> Result<Self, RuleError> {
        Self::parse(&format!("host:{host}"))
    }

    /// Requests with one of `methods`, for any URL. An empty list means every method.
    ///
    /// ```
    /// use fetch_proto::{Method, RulePattern};
    /// assert_eq!(RulePattern::method([Method::Put, Method::Post]).to_string(), "method:PUT,POST");
    /// ```
    #[must_use]
    pub fn method(methods: impl IntoIterator<Item = Method>) -> Self {
        Self {
            methods: Vec::new(),
            url: None,
        }
        .methods(methods)
    }

    /// The same URLs, limited to requests with one of `methods`. An empty list means every method.
    ///
    /// ```
    /// use fetch_proto::{Method, RulePattern};
    /// let pattern = RulePattern::substring("/upload")?.methods([Method::Put]);
    /// assert_eq!(pattern.to_string(), "method:PUT /upload");
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods.clear();
        for method in methods {
            if !self.methods.contains(&method) {
                self.methods.push(method);
            }
        }
        self
    }

    /// Parses the text form: see [`RulePattern`].
    ///
    /// # Errors
    ///
    /// As in the other constructors.
    ///
    /// ```
    /// use fetch_proto::RulePattern;
    /// assert_eq!(RulePattern::parse("host:example.com")?, RulePattern::host("example.com")?);
    /// assert_eq!(RulePattern::parse("glob:").unwrap_err().position(), 5);
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        parse(text).map_err(|(position, reason)| RuleError::new(text, position, reason))
    }
}

fn parse(text: &str) -> Result<RulePattern, PatternFault> {
    if text.len() > MAX_TEXT {
        return Err((0, RuleErrorKind::TooLarge));
    }
    let Some(rest) = text.strip_prefix("method:") else {
        return Ok(RulePattern {
            methods: Vec::new(),
            url: Some(UrlPattern::parse(text)?),
        });
    };
    let (names, url) = match rest.split_once(' ') {
        Some((names, url)) => (names, Some(url)),
        None => (rest, None),
    };
    let mut at = text.len() - rest.len();
    let mut methods = Vec::new();
    for name in names.split(',') {
        methods.push(method(name).ok_or((at, RuleErrorKind::Method))?);
        at += name.len() + 1;
    }
    let url = url.map(UrlPattern::parse).transpose();
    let url = url.map_err(|(position, reason)| (at + position, reason))?;
    Ok(RulePattern {
        methods: Vec::new(),
        url,
    }
    .methods(methods))
}

fn method(name: &str) -> Option<Method> {
    let upper: Method = name.to_ascii_uppercase().parse().ok()?;
    match upper {
        Method::Other(_) => name.parse().ok(),
        // A rule for "get" would never match: methods are case-sensitive.
        standard => (standard.as_str() == name).then_some(standard),
    }
}

impl fmt::Display for RulePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.as_ref().map(|url| url.text.as_str());
        for (i, method) in self.methods.iter().enumerate() {
            write!(f, "{}{method}", if i == 0 { "method:" } else { "," })?;
        }
        match url {
            Some(url) if self.methods.is_empty() => f.write_str(url),
            Some(url) => write!(f, " {url}"),
            None if self.methods.is_empty() => f.write_str("glob:**"),
            None => Ok(()),
        }
    }
}

impl FromStr for RulePattern {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for RulePattern {
    type Error = RuleError;

    fn try_from(text: &str) -> Result<Self, RuleError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for RulePattern {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        Self::parse(&text)
    }
}

impl From<RulePattern> for String {
    fn from(pattern: RulePattern) -> Self {
        pattern.to_string()
    }
}
