//! The names of crawlers.

/// The beginning of a name that may be a product token: letters, `-` and `_` by RFC 9309, and digits,
/// which names of real crawlers have.
pub(super) fn product_token(name: &[u8]) -> &[u8] {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let end = name.iter().position(|byte| !is_part(byte));
    &name[..end.unwrap_or(name.len())]
}

/// Whether the text is a whole product token.
pub(crate) fn is_product_token(text: &str) -> bool {
    !text.is_empty() && product_token(text.as_bytes()).len() == text.len()
}

/// The name of the crawler in a user agent: the first product, or, behind the name of a browser, the
/// first product in a comment, such as `MyBot` in `Mozilla/5.0 (compatible; MyBot/2.1)`.
pub(crate) fn product_name(agent: &str) -> Option<&str> {
    let token = |text: &'_ str| product_token(text.as_bytes()).len();
    let agent = agent.trim_start();
    let first = &agent[..token(agent)];
    if !first.eq_ignore_ascii_case("mozilla") {
        return Some(first).filter(|name| !name.is_empty());
    }
    let comments = agent.split('(').skip(1);
    let parts = comments.flat_map(|comment| {
        let comment = comment.split(')').next().unwrap_or_default();
        comment.split([';', ',']).map(str::trim)
    });
    let mut is_named = false;
    for part in parts {
        let name = &part[..token(part)];
        let has_version = part[name.len()..].starts_with('/');
        let stands_alone = is_named && name.len() == part.len();
        if !name.is_empty() && (has_version || stands_alone) {
            return Some(name);
        }
        // The word after this one is a name, even without a version.
        is_named = part.eq_ignore_ascii_case("compatible");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_token_has_letters_digits_and_dashes() {
        for (name, token) in [
            ("Foobot", "Foobot"),
            ("Foo_Bar-2", "Foo_Bar-2"),
            ("Foobot/2.1", "Foobot"),
            ("Foobot Bar", "Foobot"),
            ("Foobot*", "Foobot"),
            (" Foobot", ""),
            ("\u{30c4}", ""),
        ] {
            assert_eq!(product_token(name.as_bytes()), token.as_bytes(), "{name}");
            assert_eq!(is_product_token(name), name == token && !name.is_empty());
        }
    }

    #[test]
    fn the_name_of_a_crawler_is_found_behind_that_of_a_browser() {
        for (agent, name) in [
            ("fetch-all/0.1.0 (+https://a.test)", Some("fetch-all")),
            ("MyBot", Some("MyBot")),
            ("Mozilla/5.0 (compatible; MyBot/2.1)", Some("MyBot")),
            (
                "Mozilla/5.0 (compatible; MyBot; +http://a.test/bot)",
                Some("MyBot"),
            ),
            (
                "mozilla/5.0 (Compatible;MyBot/2.1; +http://a.test)",
                Some("MyBot"),
            ),
            (
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/1 Safari/537.36",
                Some("Googlebot"),
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13 Safari/605 (Applebot/0.1; +http://a.test)",
                Some("Applebot"),
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                None,
            ),
            ("", None),
            ("(x)", None),
        ] {
            assert_eq!(product_name(agent), name, "{agent}");
        }
    }
}
