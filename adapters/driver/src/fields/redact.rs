//! URLs without their secrets, for logs, errors and records.

use std::fmt;

use fetch_proto::is_secret_parameter;
use url::Url;

/// The text that replaces a secret.
const PLACEHOLDER: &str = "REDACTED";

/// The most characters that are shown of a text that is not a URL.
const MAX_INVALID_LENGTH: usize = 200;

/// Displays a URL with its secrets replaced by `REDACTED`: user name, password, and the values of
/// [secret query parameters](fetch_proto::is_secret_parameter). The fragment, which is never sent, is left out.
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
        let url = self.0;
        if url.username().is_empty() && url.password().is_none() {
            f.write_str(&url[..url::Position::AfterPath])?;
        } else {
            write!(f, "{}://{PLACEHOLDER}", url.scheme())?;
            if url.password().is_some() {
                write!(f, ":{PLACEHOLDER}")?;
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
                Some((name, _)) if is_secret_parameter(name) => write!(f, "{name}={PLACEHOLDER}")?,
                _ => f.write_str(pair)?,
            }
        }
        Ok(())
    }
}

/// The text of a URL without its secrets. Text that is not a URL is shortened, because it may be
/// anything.
pub(crate) fn redact_text(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) => RedactedUrl(&url).to_string(),
        Err(_) => text.chars().take(MAX_INVALID_LENGTH).collect(),
    }
}

#[cfg(test)]
mod tests {
    use fetch_proto::SECRET_PARAMETERS;

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
    fn every_name_of_the_list_is_hidden_in_any_case_and_only_as_a_whole() {
        assert!(SECRET_PARAMETERS.is_sorted());
        for name in SECRET_PARAMETERS {
            for name in [name.to_owned(), name.to_ascii_uppercase()] {
                let url = format!("http://a.test/?a=1&{name}=x&{name}=y");
                let shown = format!("http://a.test/?a=1&{name}=REDACTED&{name}=REDACTED");
                assert_eq!(redacted(&url), shown);
            }
            for name in [format!("{name}s"), format!("my{name}")] {
                let url = format!("http://a.test/?{name}=x");
                let is_other_name = SECRET_PARAMETERS.contains(&name.as_str());
                assert_eq!(redacted(&url) != url, is_other_name, "{name}");
            }
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
