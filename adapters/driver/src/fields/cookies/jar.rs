//! A cookie jar that programs can load and save.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use http::{HeaderMap, header};
use url::Url;

use super::file;
use super::storage::CookieStorage;
use crate::lock::lock;

/// Cookies that fetchers share, and that can be loaded from and saved to a file.
///
/// Clones share the same cookies. The file has Netscape's format, as curl's `--cookie-jar`: one cookie
/// per line, in seven fields separated by tabs.
///
/// ```
/// use fetch_driver::CookieJar;
///
/// let jar = CookieJar::new();
/// assert!(jar.load(b"a.test\tFALSE\t/\tFALSE\t0\tsession\t42\n").is_empty());
/// assert!(jar.to_netscape().0.ends_with(b"a.test\tFALSE\t/\tFALSE\t0\tsession\t42\n"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct CookieJar(Arc<Mutex<CookieStorage>>);

impl CookieJar {
    /// An empty jar.
    ///
    /// ```
    /// assert!(fetch_driver::CookieJar::new().to_netscape().0.starts_with(b"# Netscape"));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the cookies of a file in Netscape's format, as browsers, curl and wget write it, except those
    /// that have expired. Lines of the form `Set-Cookie: …` with a domain are cookies, too.
    ///
    /// Returns which lines are no cookies and why, without their content. The other lines are added.
    ///
    /// ```
    /// let jar = fetch_driver::CookieJar::new();
    /// let skipped = jar.load(b"# a comment\nnot a cookie\n");
    /// assert!(skipped[0].starts_with("line 2: "));
    /// ```
    #[must_use = "lines that are no cookies are skipped"]
    pub fn load(&self, text: &[u8]) -> Vec<String> {
        let (mut jar, now) = (self.lock(), SystemTime::now());
        let mut skipped = Vec::new();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            if let Err(why) = file::load_line(line, &mut jar, now) {
                skipped.push(format!("line {number}: skipped: {why}"));
            }
        }
        skipped
    }

    /// All cookies, as a file in Netscape's format, and how many it cannot hold, because they contain tabs
    /// or other control characters. It includes session cookies, as curl's does.
    ///
    /// ```
    /// let (file, left_out) = fetch_driver::CookieJar::new().to_netscape();
    /// assert_eq!((&file[..], left_out), (&b"# Netscape HTTP Cookie File\n"[..], 0));
    /// ```
    #[must_use]
    pub fn to_netscape(&self) -> (Vec<u8>, u64) {
        let mut text = file::HEADER.to_vec();
        let mut left_out = 0;
        for cookie in self.lock().cookies(SystemTime::now()) {
            match file::write(cookie) {
                Some(line) => text.extend(line),
                None => left_out += 1,
            }
        }
        (text, left_out)
    }

    /// Adds the field `Cookie` of a request to `url`, if the jar has cookies for it. Cookies that the field
    /// has already come first.
    ///
    /// ```
    /// let jar = fetch_driver::CookieJar::new();
    /// let _ = jar.load(b"a.test\tFALSE\t/\tFALSE\t0\tsession\t42\n");
    /// let mut headers = http::HeaderMap::new();
    /// jar.add_to(&mut headers, &"http://a.test/".parse()?);
    /// assert_eq!(headers["cookie"], "session=42");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_to(&self, headers: &mut HeaderMap, url: &Url) {
        self.lock().add_to(headers, url, SystemTime::now());
    }

    /// Stores the cookies that a response from `url` sets in its fields `Set-Cookie`, as far as RFC 6265bis
    /// allows. Others are ignored.
    ///
    /// ```
    /// let jar = fetch_driver::CookieJar::new();
    /// let mut headers = http::HeaderMap::new();
    /// headers.append("set-cookie", "session=42; Path=/".parse()?);
    /// jar.store(&"http://a.test/".parse()?, &headers);
    /// assert!(jar.to_netscape().0.ends_with(b"session\t42\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn store(&self, url: &Url, headers: &HeaderMap) {
        if headers.contains_key(header::SET_COOKIE) {
            self.lock().store(url, headers, SystemTime::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, CookieStorage> {
        lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# Netscape HTTP Cookie File
.a.test\tTRUE\t/\tFALSE\t4102444800\tall\t1
#HttpOnly_a.test\tFALSE\t/x\tTRUE\t0\tone\t2
b.test\tFALSE\t/\tFALSE\t1\told\t3
";

    fn sent(jar: &CookieJar, url: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        jar.add_to(&mut headers, &url.parse().unwrap());
        let field = headers.get(header::COOKIE)?;
        Some(field.to_str().unwrap().to_owned())
    }

    fn load(text: &str) -> (CookieJar, Vec<String>) {
        let jar = CookieJar::new();
        let skipped = jar.load(text.as_bytes());
        (jar, skipped)
    }

    #[test]
    fn a_file_written_by_curl_is_loaded() {
        let (jar, skipped) = load(FILE);
        assert!(skipped.is_empty(), "{skipped:?}");
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(sent(&jar, "http://deep.a.test/"), expected("all=1"));
        assert_eq!(sent(&jar, "https://a.test/x"), expected("one=2; all=1"));
        assert_eq!(sent(&jar, "http://a.test/x"), expected("all=1"));
        assert_eq!(sent(&jar, "http://b.test/"), None, "it has expired");
    }

    #[test]
    fn a_saved_file_can_be_loaded() {
        let (jar, _) = load(FILE);
        let (text, left_out) = jar.to_netscape();
        let lines = String::from_utf8(text.clone()).unwrap();
        assert_eq!((lines.lines().count(), left_out), (3, 0), "{lines}");
        let (again, skipped) = load(&lines);
        assert!(skipped.is_empty(), "{skipped:?}");
        assert_eq!(again.to_netscape().0, text);
    }

    #[test]
    fn files_of_other_tools_are_loaded() {
        for (line, expected) in [
            // Python's MozillaCookieJar: no expiry time.
            ("a.test\tFALSE\t/\tFALSE\t\tk\tv", "k=v"),
            // Extensions of browsers: fractions, -1, other case, CRLF.
            (".a.test\ttrue\t/\tfalse\t4102444800.5\tk\tv\r", "k=v"),
            ("a.test\tFALSE\t/\tFALSE\t-1\tk\tv", "k=v"),
            // An empty value, with or without the last tab, and no path.
            ("a.test\tFALSE\t/\tFALSE\t0\tk\t", "k="),
            ("a.test\tFALSE\t/\tFALSE\t0\tk", "k="),
            ("a.test\tFALSE\t\tFALSE\t0\tk\tv", "k=v"),
            // curl's number of the largest time, and a session cookie without name.
            ("a.test\tFALSE\t/\tFALSE\t9223372036854775807\tk\tv", "k=v"),
            ("a.test\tFALSE\t/\tFALSE\t0\t\tv", "v"),
            // Copied from a terminal, with spaces for tabs.
            ("a.test  FALSE  /  FALSE  0  k  v w", "k=v w"),
            ("#HttpOnly_.a.test TRUE / false 4102444800 k\r", "k="),
            ("a.test\tFALSE\t/\tFALSE\t0\t__Secure\tv", "__Secure=v"),
            ("\u{feff}a.test\tFALSE\t/\tFALSE\t0\tk\tv", "k=v"),
            ("Set-Cookie: k=v; domain=a.test; path=/", "k=v"),
        ] {
            let (jar, skipped) = load(line);
            assert!(skipped.is_empty(), "{line:?}: {skipped:?}");
            let found = sent(&jar, "http://a.test/");
            assert_eq!(found.as_deref(), Some(expected), "{line:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_cookie_is_skipped_and_named_but_not_shown() {
        for (wrong, why) in [
            ("secret", "seven fields"),
            ("a.test TRUE / FALSE", "seven fields"),
            ("a.test maybe / FALSE 0 k secret", "seven fields"),
            ("a.test\tTRUE\t/\tFALSE\tnever\tk\tsecret", "expiry time"),
            ("\tTRUE\t/\tFALSE\t0\tk\tsecret", "domain"),
            ("a.test\tTRUE\t/\tFALSE\t0\t\t", "no name"),
            ("a.test\tFALSE\t/\tFALSE\tNaN\tk\tsecret", "expiry time"),
            ("a.test\tTRUE\t/\tTRUE\t0\t__Host-k\tsecret", "prefix"),
            ("a.test\tFALSE\t/\tFALSE\t0\t__secure-k\tsecret", "prefix"),
            ("a.test\tFALSE\t/\tFALSE\t0\tk\tsec\tret", "tab"),
            (
                "a.test\tFALSE\t/\tFALSE\t0\tk\tsec\u{1}ret",
                "control character",
            ),
            (
                "a.test\tFALSE\t/\tFALSE\t0\tk\tsecret; Domain=test",
                "semicolon",
            ),
            ("Set-Cookie: k=secret", "no domain"),
            (
                "Set-Cookie: k=sec\u{1}ret; domain=a.test",
                "control character",
            ),
            (
                "x@a.test\tFALSE\t/\tFALSE\t0\tk\tsecret",
                "domain is not valid",
            ),
            ("{\"name\": \"secret\"}", "seven fields"),
        ] {
            let good = "a.test\tFALSE\t/\tFALSE\t0\tgood\t1";
            let (jar, skipped) = load(&format!("\n{wrong}\n{good}\n"));
            assert_eq!(skipped.len(), 1, "{wrong:?}: {skipped:?}");
            assert!(skipped[0].starts_with("line 2: "), "{skipped:?}");
            assert!(skipped[0].contains(why), "{wrong:?}: {skipped:?}");
            assert!(!skipped[0].contains("secret"), "{skipped:?}");
            assert_eq!(sent(&jar, "http://a.test/").as_deref(), Some("good=1"));
        }
    }

    #[test]
    fn a_cookie_with_a_tab_does_not_make_the_file_unreadable() {
        let (jar, _) = load("a.test\tFALSE\t/\tFALSE\t0\tgood\t1\n");
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, "k=a\tb; Path=/".parse().unwrap());
        jar.store(&"http://a.test/".parse().unwrap(), &headers);
        assert_eq!(
            sent(&jar, "http://a.test/").as_deref(),
            Some("good=1; k=a\tb")
        );
        let (text, left_out) = jar.to_netscape();
        assert_eq!(left_out, 1);
        let again = CookieJar::new();
        assert_eq!(again.load(&text), Vec::<String>::new());
        assert_eq!(sent(&again, "http://a.test/").as_deref(), Some("good=1"));
    }

    #[test]
    fn whatever_a_server_sets_can_be_saved_and_loaded_again() {
        let url = "https://a.test/".parse().unwrap();
        for field in [
            &b"k=caf\xe9; Path=/\xe9"[..],
            b"#HttpOnly_x=1; Path=/#; Domain=a.test",
            b"alone; Path=/",
            b"__Host-k=v; Path=/; Secure; HttpOnly; Max-Age=999999999999",
            b"k=\"a, b\"; Expires=Fri, 31 Dec 9999 23:59:59 GMT",
        ] {
            let mut headers = HeaderMap::new();
            let value = http::HeaderValue::from_bytes(field).unwrap();
            headers.append(header::SET_COOKIE, value);
            let jar = CookieJar::new();
            jar.store(&url, &headers);
            let (text, left_out) = jar.to_netscape();
            let again = CookieJar::new();
            assert_eq!(again.load(&text), Vec::<String>::new());
            assert_eq!((again.to_netscape(), left_out), ((text.clone(), 0), 0));
            assert!(text.len() > file::HEADER.len(), "{}", field.escape_ascii());
        }
    }
}
