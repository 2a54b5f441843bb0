//! Connecting to another host or port than the URL's.

use fetch_proto::Quoted;
use std::fmt;
use std::str::FromStr;

use url::Host;

use crate::settings::build_error::BuildError;

/// A rule like curl's `--connect-to HOST1:PORT1:HOST2:PORT2`: connects to `HOST2:PORT2` for URLs with
/// `HOST1:PORT1`.
///
/// The `Host` field, and the name that a certificate must match, are still those of the URL. An empty
/// `HOST1` or `PORT1` means any; an empty `HOST2` or `PORT2` means the same as in the URL.
///
/// ```
/// use fetch_driver::ConnectTo;
///
/// let staging: ConnectTo = "www.a.test:443:staging.a.test:8443".parse()?;
/// assert_eq!(staging.apply("www.a.test", 443), Some(("staging.a.test", 8443)));
/// assert_eq!(staging.apply("www.a.test", 80), None);
/// # Ok::<(), fetch_driver::BuildError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectTo {
    host: Option<String>,
    port: Option<u16>,
    to_host: Option<String>,
    to_port: Option<u16>,
}

impl ConnectTo {
    /// The host and port to connect to instead; `None` if the rule does not apply.
    ///
    /// Hosts are written as in a URL: in lower case, IPv6 addresses in brackets.
    ///
    /// ```
    /// let any: fetch_driver::ConnectTo = "::[::1]:".parse()?;
    /// assert_eq!(any.apply("a.test", 80), Some(("[::1]", 80)));
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn apply<'a>(&'a self, host: &'a str, port: u16) -> Option<(&'a str, u16)> {
        let applies = self.host.as_deref().is_none_or(|expected| expected == host)
            && self.port.is_none_or(|expected| expected == port);
        applies.then(|| {
            let to_host = self.to_host.as_deref().unwrap_or(host);
            (to_host, self.to_port.unwrap_or(port))
        })
    }

    /// `HOST2` as in a URL, if it is not empty.
    ///
    /// ```
    /// let other_port: fetch_driver::ConnectTo = "a.test:80::8080".parse()?;
    /// assert_eq!(other_port.to_host(), None);
    /// # Ok::<(), fetch_driver::BuildError>(())
    /// ```
    #[must_use]
    pub fn to_host(&self) -> Option<&str> {
        self.to_host.as_deref()
    }
}

impl FromStr for ConnectTo {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        parse(text).ok_or_else(|| {
            let reason = format!("{} is not HOST1:PORT1:HOST2:PORT2", Quoted(text));
            BuildError::new("connect_to", reason)
        })
    }
}

fn parse(text: &str) -> Option<ConnectTo> {
    let (host, rest) = split_field(text)?;
    let (port, rest) = split_field(rest)?;
    let (to_host, to_port) = split_field(rest)?;
    Some(ConnectTo {
        host: parse_unless_empty(host, |host| Host::parse(host).ok())?.map(|host| host.to_string()),
        port: parse_unless_empty(port, |port| port.parse().ok())?,
        to_host: parse_unless_empty(to_host, |host| Host::parse(host).ok())?
            .map(|host| host.to_string()),
        to_port: parse_unless_empty(to_port, |port| port.parse().ok())?,
    })
}

/// Splits at the next colon. Colons in brackets are part of an address.
fn split_field(text: &str) -> Option<(&str, &str)> {
    let end = match text.starts_with('[') {
        true => text.find(']')? + 1,
        false => text.find(':')?,
    };
    Some((&text[..end], text[end..].strip_prefix(':')?))
}

fn parse_unless_empty<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        "" => Some(None),
        text => parse(text).map(Some),
    }
}

impl fmt::Display for ConnectTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |host: &Option<String>| host.clone().unwrap_or_default();
        let port = |port: Option<u16>| port.map_or_else(String::new, |port| port.to_string());
        let (from, to) = (host(&self.host), host(&self.to_host));
        write!(f, "{from}:{}:{to}:{}", port(self.port), port(self.to_port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_parsed_and_applied_like_curls() {
        let table = [
            ("a.test:80:b.test:81", ("a.test", 80), Some(("b.test", 81))),
            ("A.Test:80:B.Test:81", ("a.test", 80), Some(("b.test", 81))),
            ("a.test:80:b.test:81", ("a.test", 81), None),
            ("a.test:80:b.test:81", ("b.test", 80), None),
            ("::b.test:81", ("a.test", 80), Some(("b.test", 81))),
            (":80::81", ("a.test", 80), Some(("a.test", 81))),
            ("a.test::[::1]:", ("a.test", 80), Some(("[::1]", 80))),
            ("[0::1]:80:10.0.0.1:", ("[::1]", 80), Some(("10.0.0.1", 80))),
            (":::", ("a.test", 80), Some(("a.test", 80))),
        ];
        for (text, (host, port), expected) in table {
            let parsed: ConnectTo = text.parse().unwrap();
            assert_eq!(parsed.apply(host, port), expected, "{text}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
    }

    #[test]
    fn text_that_is_not_four_parts_is_rejected() {
        for text in [
            "",
            "a",
            "a:1",
            "a:1:b",
            "a:1:b:x",
            "a:99999:b:1",
            "[::1:1:b:1",
            "a b:1:c:1",
        ] {
            assert!(text.parse::<ConnectTo>().is_err(), "{text}");
        }
    }
}
