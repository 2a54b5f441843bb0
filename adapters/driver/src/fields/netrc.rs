//! Logins by host, from a netrc file.

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use http::HeaderValue;

/// User names and passwords by host, as in the file `~/.netrc`.
///
/// The file is read as curl reads it: `machine HOST login USER password WORD`, `default` for all hosts, words
/// in quotes with `\n`, `\r`, `\t` and `\"`, comments that begin with `#`, and keywords in any case. Of
/// several logins for a host the first is used, or that of the user whom a URL names; one without a
/// password only if no other fits. A password without a login is that of every user.
///
/// Set as [`Settings::netrc`](crate::Settings::netrc), it adds the field `Authorization` to every request that
/// has none, also after a redirect: each host gets its own login.
///
/// ```
/// use fetch_driver::Netrc;
///
/// let (netrc, skipped) = Netrc::parse(b"machine a.test login me password \"a b\"\n")?;
/// assert!(skipped.is_empty() && netrc.authorization("a.test", None).is_some());
/// assert!(netrc.authorization("b.test", None).is_none());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Default)]
pub struct Netrc {
    /// In the order of the file.
    logins: Vec<NetrcLogin>,
    /// The logins of each host in lower case; those for all hosts are under the empty name.
    by_host: HashMap<String, Vec<usize>>,
}

/// A login. The default password is empty.
#[derive(Clone, Default)]
struct NetrcLogin {
    password: Option<Vec<u8>>,
    user: Option<Vec<u8>>,
}

/// The meaning of the next word of the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expected {
    Account,
    Host,
    Keyword,
    Password,
    User,
}

impl Netrc {
    /// Parses a file. Returns also which lines have words that were skipped, without the words, because
    /// they may be passwords.
    ///
    /// ```
    /// let (_, skipped) = fetch_driver::Netrc::parse(b"machine a.test\nlogin me pasword x\n")?;
    /// assert!(skipped[0].starts_with("line 2: "));
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a quote is not closed in its line. The message has the line and no text of the file.
    pub fn parse(file: &[u8]) -> Result<(Self, Vec<String>), String> {
        let mut netrc = Self::default();
        let mut skipped = Vec::new();
        let mut expected = Expected::Keyword;
        // The host of the current entry; empty for `default`.
        let mut host: Option<String> = None;
        let mut current = NetrcLogin::default();
        let mut is_macro = false;
        let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
            if is_macro {
                is_macro = !line.strip_suffix(b"\r").unwrap_or(line).is_empty();
                continue;
            }
            let mut words = Words(line);
            while let Some(word) = words.next(number)? {
                match std::mem::replace(&mut expected, Expected::Keyword) {
                    Expected::Account => {}
                    Expected::Host => {
                        let name = String::from_utf8_lossy(&word).to_ascii_lowercase();
                        host = Some(name.trim_matches(['[', ']']).to_owned());
                    }
                    Expected::Password => current.password = Some(word),
                    Expected::User => {
                        if current.user.is_some() {
                            netrc.add(host.as_deref(), std::mem::take(&mut current));
                        }
                        current.user = Some(word);
                    }
                    Expected::Keyword => match &word.to_ascii_lowercase()[..] {
                        b"account" => expected = Expected::Account,
                        keyword @ (b"default" | b"machine") => {
                            netrc.add(host.as_deref(), std::mem::take(&mut current));
                            host = Some(String::new());
                            if keyword == b"machine" {
                                expected = Expected::Host;
                            }
                        }
                        b"login" => expected = Expected::User,
                        b"macdef" => {
                            is_macro = true;
                            break;
                        }
                        b"password" => expected = Expected::Password,
                        _ => skipped.push(format!(
                            "line {number}: skipped a word that is none of machine, default, login, \
                             password, account, macdef"
                        )),
                    },
                }
            }
        }
        netrc.add(host.as_deref(), current);
        Ok((netrc, skipped))
    }

    fn add(&mut self, host: Option<&str>, login: NetrcLogin) {
        let Some(host) = host.filter(|_| login.user.is_some() || login.password.is_some()) else {
            return;
        };
        let all = self.by_host.entry(host.to_owned()).or_default();
        all.push(self.logins.len());
        self.logins.push(login);
    }

    /// The field `Authorization` for a host, by basic authentication: of its first login, or of that of
    /// `user`.
    ///
    /// ```
    /// # use fetch_driver::Netrc;
    /// let file = b"machine a.test login me password x\nmachine a.test login you password y\n";
    /// let (netrc, _) = Netrc::parse(file)?;
    /// let first = netrc.authorization("A.test", None);
    /// assert_eq!(first, netrc.authorization("a.test", Some("me")));
    /// assert_ne!(first, netrc.authorization("a.test", Some("you")));
    /// # Ok::<(), String>(())
    /// ```
    #[must_use]
    pub fn authorization(&self, host: &str, user: Option<&str>) -> Option<HeaderValue> {
        let host = host.trim_matches(['[', ']']);
        let of = |host: &str| self.by_host.get(host).into_iter().flatten().copied();
        let user = user.map(str::as_bytes);
        let is_wanted = |index: &usize| {
            let login = self.logins[*index].user.as_deref();
            login.is_none() || user.is_none() || login == user
        };
        let all = of(&host.to_ascii_lowercase()).chain(of(""));
        let rank = |index: &usize| (self.logins[*index].password.is_none(), *index);
        let login = &self.logins[all.filter(is_wanted).min_by_key(rank)?];
        let user = login.user.as_deref().or(user).unwrap_or_default();
        let password = login.password.as_deref().unwrap_or_default();
        let text = [user, b":", password].concat();
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        let mut value = HeaderValue::try_from(format!("Basic {text}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Shows no password.
impl fmt::Debug for Netrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Netrc")
            .field("logins", &self.logins.len())
            .finish()
    }
}

/// The words of a line.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    /// The next word; `None` at the end of the line or at a comment.
    fn next(&mut self, number: u64) -> Result<Option<Vec<u8>>, String> {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
        let start = self.0.iter().position(|byte| !is_space(byte));
        let rest = start.map_or(&[][..], |start| &self.0[start..]);
        match rest {
            [] | [b'#', ..] => {
                self.0 = &[];
                Ok(None)
            }
            [b'"', quoted @ ..] => self.quoted(number, quoted).map(Some),
            rest => {
                let end = rest.iter().position(is_space).unwrap_or(rest.len());
                self.0 = &rest[end..];
                Ok(Some(rest[..end].to_vec()))
            }
        }
    }

    fn quoted(&mut self, number: u64, quoted: &[u8]) -> Result<Vec<u8>, String> {
        let mut word = Vec::new();
        let mut bytes = quoted.iter().copied().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    // The rest is a part of the same line.
                    let from = self.0.len() - (quoted.len() - at - 1);
                    self.0 = &self.0[from..];
                    return Ok(word);
                }
                b'\\' => match bytes.next() {
                    Some((_, b'n')) => word.push(b'\n'),
                    Some((_, b'r')) => word.push(b'\r'),
                    Some((_, b't')) => word.push(b'\t'),
                    Some((_, other)) => word.push(other),
                    None => {}
                },
                byte => word.push(byte),
            }
        }
        Err(format!(
            "line {number}: a quote is not closed: write \\\" for a quote in a word"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(file: &str, host: &str, user: Option<&str>) -> Option<String> {
        let (netrc, _) = Netrc::parse(file.as_bytes()).unwrap();
        let value = netrc.authorization(host, user)?;
        let text = value
            .to_str()
            .unwrap()
            .strip_prefix("Basic ")
            .unwrap()
            .to_owned();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap();
        Some(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn the_first_login_is_used_or_that_of_the_user() {
        let file = "machine a.test login one password 1\nmachine b.test login x password y\n\
            machine A.TEST\n\tlogin two\n\tpassword 2 login three password 3\n\
            default login d password e\n";
        for (host, user, expected) in [
            ("a.test", None, Some("one:1")),
            ("A.test", Some("two"), Some("two:2")),
            ("a.test", Some("three"), Some("three:3")),
            ("a.test", Some("nobody"), None),
            ("b.test", None, Some("x:y")),
            ("c.test", None, Some("d:e")),
            ("c.test", Some("d"), Some("d:e")),
        ] {
            let found = sent(file, host, user);
            assert_eq!(found.as_deref(), expected, "{host} {user:?}");
        }
        assert_eq!(sent("", "a.test", None), None);
        // As curl: an entry without a password does not hide a later one of the same user.
        let file = "machine a.test login me\nmachine a.test password x password y login me\n";
        assert_eq!(sent(file, "a.test", Some("me")).as_deref(), Some("me:y"));
        let file = "machine a.test password x login you\nmachine a.test password y\n";
        for (user, expected) in [("me", "me:y"), ("you", "you:x")] {
            let found = sent(file, "a.test", Some(user));
            assert_eq!(found.as_deref(), Some(expected));
        }
    }

    #[test]
    fn words_are_those_of_curl() {
        for (file, expected) in [
            (
                "machine h login \"a b\" password \"\\n\\r\\t\\\"\\\\x\"",
                "a b:\n\r\t\"\\x",
            ),
            ("MACHINE h Login a PASSWORD b", "a:b"),
            ("machine h login a # password c\r\npassword b\r\n", "a:b"),
            ("machine h login a account login password b", "a:b"),
            ("machine h password b login a", "a:b"),
            ("machine h login a", "a:"),
            ("machine h login a password \"\"", "a:"),
            (
                "macdef init\nmachine h login x\n\nmachine h login a password b",
                "a:b",
            ),
            ("machine h login a password b#c", "a:b#c"),
            ("machine h\nlogin a\npassword b", "a:b"),
            ("\u{feff}machine h login a password b", "a:b"),
        ] {
            assert_eq!(sent(file, "h", None).as_deref(), Some(expected), "{file}");
        }
        assert_eq!(
            sent("machine ::1 login a password b", "[::1]", None).as_deref(),
            Some("a:b")
        );
    }

    #[test]
    fn mistakes_are_reported_by_line_without_passwords() {
        let (_, skipped) = Netrc::parse(b"machine a.test\nlogin me pasword secret\n").unwrap();
        assert_eq!(skipped.len(), 2);
        assert!(skipped[0].starts_with("line 2: ") && !skipped.concat().contains("secret"));
        let error = Netrc::parse(b"machine a.test\nlogin \"secret\n").unwrap_err();
        assert!(
            error.starts_with("line 2: ") && !error.contains("secret"),
            "{error}"
        );
    }
}
