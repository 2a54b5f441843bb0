//! One pattern: what it matches, and its text form.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::error::{RuleError, RuleReason};
use super::syntax::PatternFault;
use super::url_pattern::{KINDS, UrlPattern};
use crate::model::method::Method;

/// Bounds what a hostile text can cost before it is even compiled.
const MAX_TEXT: usize = 8 << 10;

/// What a rule matches: a set of URLs, a set of methods, or both.
///
/// A pattern sees the URL as it is sent: in ASCII, percent-encoded, the host in lower case, no port
/// that is the scheme's own, no user, password or fragment.
///
/// | Text form | Matches |
/// |---|---|
/// | `/delay/` or `substring:/delay/` | URLs that contain the text; case matters |
/// | `glob:example.com/*/x.{png,jpg}` | host, port and path: see [`Pattern::glob`] |
/// | `glob:https://*.example.com/**` | scheme too |
/// | `glob:/api/**` | the path, on any host |
/// | `regex:/v[0-9]+/` | URLs in which the regular expression is found |
/// | `host:example.com`, `host:*.example.com:8080` | that host, or any below it |
/// | `method:POST,PUT` | requests with one of the methods |
/// | `method:POST /upload` | both: after a space comes any of the other forms |
///
/// ```
/// use fetch_proto::Pattern;
///
/// let pattern: Pattern = "method:POST glob:/upload/**".parse()?;
/// assert_eq!(pattern.to_string(), "method:POST glob:/upload/**");
/// # Ok::<(), fetch_proto::RuleError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Pattern {
    pub(super) methods: Vec<Method>,
    pub(super) url: Option<UrlPattern>,
}

impl Pattern {
    /// The URLs that contain `text`. Case matters.
    ///
    /// # Errors
    ///
    /// The text is empty, too long, or has a character that is never in a URL.
    ///
    /// ```
    /// use fetch_proto::Pattern;
    /// let pattern = Pattern::substring("/delay/")?;
    /// assert!(Pattern::substring("two words").is_err());
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    pub fn substring(text: &str) -> Result<Self, RuleError> {
        if KINDS.iter().any(|kind| text.starts_with(kind)) {
            return Self::parse(&format!("substring:{text}"));
        }
        Self::parse(text)
    }

    /// The URLs that `glob` matches from end to end.
    ///
    /// `?` is any character but `/` and `?`, `*` any number of those, `**` any text before the query
    /// (`a/**/b` matches `a/b` too), `[a-z]` and `[!a-z]` one character, `{a,b}` either; `\` takes
    /// the next character as it is.
    ///
    /// A glob with `://` is matched against the whole URL, one that begins with `/` against the path
    /// on any host, any other against host, port and path. A query
    /// is ignored unless the glob names it, as in `/search\?q=*`: from there `*` is any text without
    /// `/`, `**` any text. Scheme and host ignore case.
    ///
    /// # Errors
    ///
    /// A class or brace is not closed, or as in [`Pattern::substring`].
    ///
    /// ```
    /// use fetch_proto::{Method, Pattern, Policy, Rules};
    ///
    /// let pattern = Pattern::glob("*.example.com/img/**/*.{png,jpg}")?;
    /// let rules = Rules::builder().rule(pattern, Policy::default()).build()?;
    /// let url = "https://cdn.example.com/img/a/b/c.png?size=2".parse()?;
    /// assert_eq!(rules.matched(&Method::Get, &url), Some(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn glob(glob: &str) -> Result<Self, RuleError> {
        Self::parse(&format!("glob:{glob}"))
    }

    /// The URLs in which `regex` is found anywhere; `^` and `$` are the URL's ends.
    ///
    /// The syntax is that of the crate `regex` without Unicode: `\w` and `(?i)` know ASCII only. The
    /// time a match takes is linear in the URL's length.
    ///
    /// # Errors
    ///
    /// The expression is invalid, empty, or takes over 256 KiB when compiled.
    ///
    /// ```
    /// use fetch_proto::Pattern;
    /// let pattern = Pattern::regex(r"^https://[^/]+/v\d+/")?;
    /// assert!(Pattern::regex("a{1000000}").is_err());
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    pub fn regex(regex: &str) -> Result<Self, RuleError> {
        Self::parse(&format!("regex:{regex}"))
    }

    /// The URLs on `host`: a name, `*.` and a name for all hosts below it but not itself, or an IP
    /// address (IPv6 in brackets), then `:` and a port, or none for every port.
    ///
    /// Case is ignored; a name with non-ASCII letters is turned into its ASCII form.
    ///
    /// # Errors
    ///
    /// It is no such host.
    ///
    /// ```
    /// use fetch_proto::Pattern;
    /// let pattern = Pattern::host("*.example.com:8080")?;
    /// assert!(Pattern::host("https://example.com/").is_err());
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    pub fn host(host: &str) -> Result<Self, RuleError> {
        Self::parse(&format!("host:{host}"))
    }

    /// The requests with one of `methods`, whatever their URL. No method means every method.
    ///
    /// ```
    /// use fetch_proto::{Method, Pattern};
    /// assert_eq!(Pattern::method([Method::Put, Method::Post]).to_string(), "method:PUT,POST");
    /// ```
    #[must_use]
    pub fn method(methods: impl IntoIterator<Item = Method>) -> Self {
        Self {
            methods: Vec::new(),
            url: None,
        }
        .methods(methods)
    }

    /// The same URLs, but only requests with one of `methods`. No method means every method.
    ///
    /// ```
    /// use fetch_proto::{Method, Pattern};
    /// let pattern = Pattern::substring("/upload")?.methods([Method::Put]);
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

    /// Reads a pattern's text form: see [`Pattern`].
    ///
    /// # Errors
    ///
    /// As in the other constructors.
    ///
    /// ```
    /// use fetch_proto::Pattern;
    /// assert_eq!(Pattern::parse("host:example.com")?, Pattern::host("example.com")?);
    /// assert_eq!(Pattern::parse("glob:").unwrap_err().position(), 5);
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        parse(text).map_err(|(position, reason)| RuleError::new(text, position, reason))
    }
}

fn parse(text: &str) -> Result<Pattern, PatternFault> {
    if text.len() > MAX_TEXT {
        return Err((0, RuleReason::TooLarge));
    }
    let Some(rest) = text.strip_prefix("method:") else {
        return Ok(Pattern {
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
        methods.push(method(name).ok_or((at, RuleReason::Method))?);
        at += name.len() + 1;
    }
    let url = url.map(UrlPattern::parse).transpose();
    let url = url.map_err(|(position, reason)| (at + position, reason))?;
    Ok(Pattern {
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

impl fmt::Display for Pattern {
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

impl FromStr for Pattern {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for Pattern {
    type Error = RuleError;

    fn try_from(text: &str) -> Result<Self, RuleError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Pattern {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        Self::parse(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}
