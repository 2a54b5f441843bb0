//! URLs without their secrets, for logs, errors and records.

use std::fmt;

use fetch_proto::redact_secrets;
use url::Url;

/// The most characters that are shown of a text that is not a URL.
const MAX_INVALID_LENGTH: usize = 200;

/// Displays a URL with its secrets replaced by `REDACTED`, as by [`redact_secrets`]: user name, password,
/// the values of [secret parameters](fetch_proto::is_secret_parameter), and tokens. The fragment, which is never sent, is left out.
///
/// ```
/// use fetch_driver::RedactedUrl;
///
/// let url = "https://user:pass@a.test/x?id=1&sig=abc".parse()?;
/// let shown = RedactedUrl(&url).to_string();
/// assert_eq!(shown, "https://REDACTED:REDACTED@a.test/x?id=1&sig=REDACTED");
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RedactedUrl<'a>(pub &'a Url);

impl fmt::Display for RedactedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact_secrets(&self.0[..url::Position::AfterQuery]))
    }
}

/// The text of a URL without its secrets. Text that is not a URL is shortened, because it may be
/// anything.
pub(crate) fn redact_text(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) => RedactedUrl(&url).to_string(),
        Err(_) => redact_secrets(text)
            .chars()
            .take(MAX_INVALID_LENGTH)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(url: &str) -> String {
        RedactedUrl(&Url::parse(url).unwrap()).to_string()
    }

    #[test]
    fn secrets_are_hidden_and_the_rest_is_shown() {
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
            assert_eq!(redacted(url), shown);
        }
    }

    #[test]
    fn text_that_is_not_a_url_is_shortened() {
        assert_eq!(
            redact_text("http://a.test/?key=x"),
            "http://a.test/?key=REDACTED"
        );
        assert_eq!(redact_text("not a URL"), "not a URL");
        assert_eq!(redact_text(&"ü".repeat(300)), "ü".repeat(200));
    }
}
