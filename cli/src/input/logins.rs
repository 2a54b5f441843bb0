//! User names and passwords by host, from a netrc file.

use std::collections::HashMap;
use std::str::FromStr;

use base64::Engine as _;
use http::HeaderValue;
use netrc::Netrc;

/// The name under which the file has what is for all other hosts.
const DEFAULT: &str = "default";

/// What each host is told.
#[derive(Debug)]
pub(crate) struct NetrcLogins(HashMap<String, HeaderValue>);

impl NetrcLogins {
    /// Reads the text of a netrc file.
    ///
    /// # Errors
    ///
    /// Where it makes no sense; no word of it is repeated.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let netrc = Netrc::from_str(text).map_err(|error| {
            // The rest of the message may be a password that was taken for a word of the form.
            let told = error.to_string();
            let place = told.rsplit_once('(').map_or("", |(_, place)| place);
            let place = place.trim_end_matches(')');
            format!("{place}: write machine HOST login NAME password WORD")
        })?;
        let mut logins = HashMap::new();
        for (host, login) in netrc.hosts {
            let value = basic(&format!("{}:{}", login.login, login.password));
            logins.insert(host.to_ascii_lowercase(), value);
        }
        Ok(Self(logins))
    }

    /// The field `Authorization` for a host.
    pub(crate) fn of(&self, host: &str) -> Option<&HeaderValue> {
        self.0.get(host).or_else(|| self.0.get(DEFAULT))
    }
}

/// Basic authentication (RFC 7617).
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
    fn each_host_has_its_own_login_and_the_rest_the_default() {
        let text = "machine A.test login me password p\ndefault login you password q\n";
        let logins = NetrcLogins::parse(text).unwrap();
        assert_eq!(logins.of("a.test"), Some(&basic("me:p")));
        assert_eq!(logins.of("b.test"), Some(&basic("you:q")));
        assert_eq!(NetrcLogins::parse("").unwrap().of("a.test"), None);
    }

    #[test]
    fn a_mistake_is_told_by_its_line_and_without_passwords() {
        let error = NetrcLogins::parse("machine a.test\nlogin me pasword secret\n").unwrap_err();
        assert!(error.contains('2') && !error.contains("secret"), "{error}");
    }
}
