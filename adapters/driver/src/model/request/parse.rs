//! Parsing of URLs with a cache of hosts.
//!
//! Most URLs of a list have a host that occurred before, and the host is the slowest part to parse.
//! Parsed hosts are therefore cached, and only the rest of the text is parsed.

use std::cell::RefCell;

use url::{ParseError, Url};

/// Cached hosts per thread.
const CACHED_ORIGINS: usize = 64;

thread_local! {
    static CACHE: RefCell<[CachedOrigin; CACHED_ORIGINS]> = RefCell::new(std::array::from_fn(|_| CachedOrigin::default()));
}

/// A scheme and authority that occurred before.
#[derive(Default)]
struct CachedOrigin {
    /// Scheme and authority as written.
    text: String,
    /// The parsed form, once they occurred twice: a host that occurs once is not worth caching.
    base: Option<Url>,
}

/// The same as [`Url::parse`].
pub(super) fn parse(text: &str) -> Result<Url, ParseError> {
    let Some((host, rest)) = split(text) else {
        return Url::parse(text);
    };
    CACHE.with_borrow_mut(|cache| {
        let mix = |hash: usize, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte));
        let cached = &mut cache[host.bytes().fold(0, mix) % CACHED_ORIGINS];
        if cached.text == host {
            if let Some(base) = &cached.base {
                return base.join(rest);
            }
            let url = Url::parse(text)?;
            cached.base = url.join("/").ok();
            return Ok(url);
        }
        cached.base = None;
        cached.text.clear();
        cached.text.push_str(host);
        Url::parse(text)
    })
}

/// Splits a URL before its path. `None` unless it is certain where the path starts and that it is
/// parsed the same way without the host before it.
fn split(text: &str) -> Option<(&str, &str)> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    if !text.bytes().fold(true, |all, byte| all & plain(byte)) {
        return None;
    }
    let rest = text
        .strip_prefix("http")?
        .trim_start_matches('s')
        .strip_prefix("://")?;
    let length = rest.find('/').filter(|length| *length > 0)?;
    let path = text.len() - rest.len() + length;
    let (host, path) = text.split_at(path);
    let is_plain = !host.contains(['?', '#', '@']) && !path.starts_with("//");
    is_plain.then_some((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_does_not_change_how_a_text_is_parsed() {
        let mut random = fastrand::Rng::with_seed(7);
        let hosts = [
            "http://a.test",
            "https://a.test",
            "https://A.test:443",
            "http://a.test:80",
            "http://127.1:8080",
            "http://[::1]:80",
            "http://u:p@a.test",
            "http://a.test?x",
            "http://a b",
            "http://",
            "http:///",
            "https:/",
            "httpss://a.test",
            "ftp://a.test",
            "HTTP://a.test",
            "http://ü.test",
            "http://1.2.3.4.5",
            "",
        ];
        let pieces = [
            "/", "/", "a", "..", ".", "%2e", "?", "#", "\\", "\t", " ", "@", ":", "é", "{", "x=1",
            "//", "%", "'", "\"", "\n", "~",
        ];
        for _ in 0..50_000 {
            let mut text = hosts[random.usize(..hosts.len())].to_owned();
            for _ in 0..random.usize(..6) {
                text.push_str(pieces[random.usize(..pieces.len())]);
            }
            assert_eq!(parse(&text), Url::parse(&text), "{text:?}");
        }
    }

    #[test]
    fn a_host_that_occurred_twice_is_cached() {
        for n in 0..3 {
            parse(&format!("http://known.test/{n}")).unwrap();
        }
        let base = CACHE.with_borrow(|cache| {
            let cached = cache
                .iter()
                .find(|cached| cached.text == "http://known.test");
            cached.and_then(|cached| cached.base.clone())
        });
        assert_eq!(base.unwrap().as_str(), "http://known.test/");
    }
}
