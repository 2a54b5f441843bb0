//! Credentials in a URL.

use base64::Engine as _;
use http::HeaderValue;
use percent_encoding::percent_decode_str;

/// The `Authorization` field for the percent-encoded user name and password of a URL (RFC 7617).
pub(crate) fn basic_credentials(user: &str, password: &str) -> HeaderValue {
    let decode = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    basic(&decode(user), &decode(password))
}

/// The `Authorization` field for a user name and a password (RFC 7617).
pub(super) fn basic(user: &[u8], password: &[u8]) -> HeaderValue {
    let pair = base64::engine::general_purpose::STANDARD.encode([user, password].join(&b':'));
    let value = HeaderValue::try_from(format!("Basic {pair}"));
    let mut value = value.expect("base64 is valid in a header field");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::super::Request;

    #[test]
    fn credentials_in_the_url_become_a_header_field_and_are_not_shown() {
        let request = Request::get("http://us%40er:pa%3Ass@a.test/x").unwrap();
        assert_eq!(
            request.headers[header::AUTHORIZATION],
            "Basic dXNAZXI6cGE6c3M="
        );
        assert_eq!(request.url.as_str(), "http://a.test/x");
        let shown = format!("{request:?}");
        assert!(
            !shown.contains("dXNA") && !shown.contains("pa%3A"),
            "{shown}"
        );
    }
}
