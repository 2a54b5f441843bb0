//! Credentials per host, from a netrc file.

use std::collections::HashMap;
use std::str::FromStr;

use base64::Engine as _;
use http::HeaderValue;
use netrc::Netrc;

/// The entry for all other hosts.
const DEFAULT: &str = "default";

/// The field `Authorization` by host.
#[derive(Debug)]
pub(crate) struct NetrcLogins(HashMap<String, HeaderValue>);

impl NetrcLogins {
    /// Parses a netrc file.
    ///
    /// # Errors
    ///
    /// The position of the error, without any text of the file.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let netrc = Netrc::from_str(text).map_err(|error| {
            // The rest of the message may contain a password that was read as a keyword.
            let message = error.to_string();
            let position = message
                .rsplit_once('(')
                .map_or("", |(_, position)| position);
            let position = position.trim_end_matches(')');
            format!("{position}: write machine HOST login NAME password WORD")
        })?;
        let mut logins = HashMap::new();
        for (host, login) in netrc.hosts {
            let value = basic(&format!("{}:{}", login.login, login.password));
            logins.insert(host.to_ascii_lowercase(), value);
        }
        Ok(Self(logins))
    }

    /// The field `Authorization` for a host.
    pub(crate) fn get(&self, host: &str) -> Option<&HeaderValue> {
        self.0.get(host).or_else(|| self.0.get(DEFAULT))
    }
}

/// The value of `Authorization` for basic authentication (RFC 7617).
pub(crate) fn basic(user: &str) -> HeaderValue {
    let text = base64::engine::general_purpose::STANDARD.encode(user);
    let mut value =
        HeaderValue::try_from(format!("Basic {text}")).expect("base64 is valid in a header field");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_hosts_get_the_default_login() {
        let text = "machine A.test login me password p\ndefault login you password q\n";
        let logins = NetrcLogins::parse(text).unwrap();
        assert_eq!(logins.get("a.test"), Some(&basic("me:p")));
        assert_eq!(logins.get("b.test"), Some(&basic("you:q")));
        assert_eq!(NetrcLogins::parse("").unwrap().get("a.test"), None);
    }

    #[test]
    fn errors_have_the_line_and_no_passwords() {
        let error = NetrcLogins::parse("machine a.test\nlogin me pasword secret\n").unwrap_err();
        assert!(error.contains('2') && !error.contains("secret"), "{error}");
    }
}
