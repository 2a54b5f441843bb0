//! One form for all spellings of a path (RFC 9309, section 2.2.2).

/// The canonical form of a URL's path and query.
pub(super) fn canonical_path(path: &[u8]) -> String {
    canonical(path, false)
}

/// The canonical form of a pattern, in which `*` matches anything.
pub(super) fn canonical_pattern(pattern: &[u8]) -> String {
    canonical(pattern, true)
}

/// Each octet has one form: `%` and two capital digits if it is not ASCII, or has a meaning as it is
/// (`%`, and `*` and `$` in patterns), and itself otherwise. Only the encoded `/` and `?` of the path
/// differ from the plain ones, which divide it.
fn canonical(text: &[u8], is_pattern: bool) -> String {
    let mut canonical = String::with_capacity(text.len());
    let (mut rest, mut is_query) = (text, false);
    while let [byte, behind @ ..] = rest {
        let encoded = match (*byte, behind) {
            (b'%', [high, low, behind @ ..]) => hex(*high, *low).map(|octet| (octet, behind)),
            _ => None,
        };
        let (octet, is_encoded) = match encoded {
            Some((octet, behind)) => {
                rest = behind;
                (octet, true)
            }
            None => {
                rest = behind;
                (*byte, false)
            }
        };
        let keeps_code = match octet {
            b'*' => is_encoded || !is_pattern,
            b'%' | b'$' | 0x80.. => true,
            b'/' | b'?' => is_encoded && !is_query,
            _ => false,
        };
        is_query |= octet == b'?' && !is_encoded;
        match keeps_code {
            true => push_encoded(&mut canonical, octet),
            false => canonical.push(char::from(octet)),
        }
    }
    canonical
}

fn push_encoded(text: &mut String, octet: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    for digit in [octet >> 4, octet & 15] {
        text.push(char::from(DIGITS[usize::from(digit)]));
    }
}

/// The octet that two hexadecimal digits stand for.
fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let octet = digit(high)? << 4 | digit(low)?;
    u8::try_from(octet).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of RFC 9309, section 2.2.2, and what follows from it.
    #[test]
    fn spellings_of_an_octet_are_one_path() {
        for (a, b) in [
            ("/foo/bar?baz=quz", "/foo/bar?baz=quz"),
            (
                "/foo/bar?baz=https://foo.bar",
                "/foo/bar?baz=https%3A%2F%2Ffoo.bar",
            ),
            ("/foo/bar/\u{30c4}", "/foo/bar/%E3%83%84"),
            ("/foo/bar/%e3%83%84", "/foo/bar/%E3%83%84"),
            ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
            ("/%7Ejoe", "/~joe"),
            ("/a:b@c", "/a%3ab%40c"),
            ("/a b", "/a%20b"),
            ("/a%zz%4", "/a%25zz%254"),
        ] {
            for canonical in [canonical_path, canonical_pattern] {
                assert_eq!(canonical(a.as_bytes()), canonical(b.as_bytes()), "{a} {b}");
            }
        }
        for (a, b) in [
            ("/a/b", "/a%2Fb"),
            ("/a?b", "/a%3Fb"),
            ("/%2541", "/A"),
            ("/a", "/A"),
        ] {
            assert_ne!(
                canonical_path(a.as_bytes()),
                canonical_path(b.as_bytes()),
                "{a} {b}"
            );
        }
    }

    #[test]
    fn a_wildcard_is_not_the_octet() {
        assert_eq!(canonical_pattern(b"/*%2A$x"), "/*%2A%24x");
        assert_eq!(canonical_path(b"/*%2A$x"), "/%2A%2A%24x");
    }
}
