//! Texts as URLs. Most of a list have their host in common with one before them, and reading a host
//! takes more time than all the rest: what was read is kept, and the rest joined to it.

use std::cell::RefCell;

use url::{ParseError, Url};

/// So many hosts are kept by each thread.
const HOSTS: usize = 64;

thread_local! {
    static KNOWN: RefCell<[Known; HOSTS]> = RefCell::new(std::array::from_fn(|_| Known::default()));
}

/// A host that was met.
#[derive(Default)]
struct Known {
    /// Scheme and authority, as they were written.
    text: String,
    /// What they are, once they were met twice: hosts that come once are not worth it.
    base: Option<Url>,
}

/// What [`Url::parse`] makes of `text`.
pub(super) fn parse(text: &str) -> Result<Url, ParseError> {
    let Some((host, rest)) = split(text) else {
        return Url::parse(text);
    };
    KNOWN.with_borrow_mut(|known| {
        let mix = |hash: usize, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte));
        let known = &mut known[host.bytes().fold(0, mix) % HOSTS];
        if known.text == host {
            if let Some(base) = &known.base {
                return base.join(rest);
            }
            let url = Url::parse(text)?;
            known.base = url.join("/").ok();
            return Ok(url);
        }
        known.base = None;
        known.text.clear();
        known.text.push_str(host);
        Url::parse(text)
    })
}

/// Scheme and authority, and what begins with the path; if it is beyond doubt where that is, and that it
/// means the same without the host before it.
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
    fn whatever_came_before_a_text_means_the_same() {
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
    fn a_host_that_was_met_twice_is_not_read_again() {
        for n in 0..3 {
            parse(&format!("http://known.test/{n}")).unwrap();
        }
        let known = KNOWN.with_borrow(|known| {
            let known = known.iter().find(|known| known.text == "http://known.test");
            known.and_then(|known| known.base.clone())
        });
        assert_eq!(known.unwrap().as_str(), "http://known.test/");
    }
}
