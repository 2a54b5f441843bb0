//! URLs without their secrets, for logs, errors and records.

use std::fmt;

use url::Url;

/// Shows a URL with its secrets replaced by `REDACTED`: user name, password, and the values of query
/// parameters that sign or authorise (OpenTelemetry's list for `url.full`, and common names of
/// tokens, keys and passwords).
///
/// ```
/// use fetch_driver::Redacted;
///
/// let url = "https://user:pass@a.test/x?id=1&sig=abc".parse()?;
/// assert_eq!(Redacted(&url).to_string(), "https://REDACTED:REDACTED@a.test/x?id=1&sig=REDACTED");
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Redacted<'a>(pub &'a Url);

/// Names of query parameters whose values are secret, in lower case.
pub(crate) const SECRET: [&str; 24] = [
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

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0;
        if url.username().is_empty() && url.password().is_none() {
            f.write_str(&url[..url::Position::AfterPath])?;
        } else {
            write!(f, "{}://REDACTED", url.scheme())?;
            if url.password().is_some() {
                f.write_str(":REDACTED")?;
            }
            write!(
                f,
                "@{}",
                &url[url::Position::BeforeHost..url::Position::AfterPath]
            )?;
        }
        let Some(query) = url.query() else {
            return Ok(());
        };
        for (i, pair) in query.split('&').enumerate() {
            f.write_str(if i == 0 { "?" } else { "&" })?;
            match pair.split_once('=') {
                Some((name, _)) if is_secret(name) => write!(f, "{name}=REDACTED")?,
                _ => f.write_str(pair)?,
            }
        }
        Ok(())
    }
}

/// The text of a URL without its secrets; text that is no URL is shortened, as it may be anything.
pub(crate) fn redact_text(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) => Redacted(&url).to_string(),
        Err(_) => text.chars().take(200).collect(),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_the_rest_is_kept() {
        let table = [
            ("http://a.test/", "http://a.test/"),
            ("http://u@a.test/p", "http://REDACTED@a.test/p"),
            (
                "http://u:p@[::1]:8080/p?q",
                "http://REDACTED:REDACTED@[::1]:8080/p?q",
            ),
            (
                "http://a.test/?Token=x&a=b",
                "http://a.test/?Token=REDACTED&a=b",
            ),
            (
                "http://a.test/?a=b&X-Amz-Signature=x",
                "http://a.test/?a=b&X-Amz-Signature=REDACTED",
            ),
            ("http://a.test/#token=x", "http://a.test/"),
        ];
        for (url, shown) in table {
            assert_eq!(Redacted(&Url::parse(url).unwrap()).to_string(), shown);
        }
    }
}
