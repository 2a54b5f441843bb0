//! A cookie jar that programs can load and save.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cookie_store::{Cookie, CookieExpiration};
use http::HeaderMap;
use url::Url;

use crate::fields::cookies::CookieStorage;
use crate::lock::lock;

/// The first line of a cookie file, by which curl and others recognise one.
const FILE_HEADER: &str = "# Netscape HTTP Cookie File\n";

/// Prefix of the domain of a cookie that is not accessible to scripts.
const HTTP_ONLY_PREFIX: &str = "#HttpOnly_";

/// Cookies that fetchers share, and that can be loaded from and saved to a file.
///
/// Clones share the same cookies. The file has Netscape's format, as curl's `--cookie-jar`: one cookie
/// per line, in seven fields separated by tabs.
///
/// ```
/// use fetch_driver::CookieJar;
///
/// let jar = CookieJar::new();
/// jar.load("a.test\tFALSE\t/\tFALSE\t0\tsession\t42\n")?;
/// assert!(jar.to_netscape().ends_with("a.test\tFALSE\t/\tFALSE\t0\tsession\t42\n"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CookieJar(Arc<Mutex<CookieStorage>>);

impl CookieJar {
    /// An empty jar.
    ///
    /// ```
    /// assert!(fetch_driver::CookieJar::new().to_netscape().starts_with("# Netscape"));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the cookies of a file in Netscape's format, except those that have expired.
    ///
    /// ```
    /// let jar = fetch_driver::CookieJar::new();
    /// let error = jar.load("# a comment\nnot a cookie\n").unwrap_err();
    /// assert!(error.starts_with("line 2: "));
    /// ```
    ///
    /// # Errors
    ///
    /// If a line is not a cookie. The error names the line, but does not show its content. The lines
    /// before it have been added.
    pub fn load(&self, text: &str) -> Result<(), String> {
        let mut jar = self.lock();
        for (number, line) in (1..).zip(text.lines()) {
            let bare = line.strip_prefix(HTTP_ONLY_PREFIX).unwrap_or(line);
            if bare.starts_with('#') || bare.trim().is_empty() {
                continue;
            }
            let (url, field) =
                parse_line(bare).map_err(|reason| format!("line {number}: {reason}"))?;
            let http_only = if bare.len() < line.len() {
                "; HttpOnly"
            } else {
                ""
            };
            jar.set(&url, &format!("{field}{http_only}"));
        }
        Ok(())
    }

    /// All cookies, as a file in Netscape's format. It includes session cookies, as curl's does.
    ///
    /// ```
    /// let jar = fetch_driver::CookieJar::new();
    /// assert_eq!(jar.to_netscape().lines().count(), 1);
    /// ```
    #[must_use]
    pub fn to_netscape(&self) -> String {
        let mut text = FILE_HEADER.to_owned();
        for cookie in self.lock().iter() {
            write_line(&mut text, cookie);
        }
        text
    }

    pub(crate) fn add_to(&self, headers: &mut HeaderMap, url: &Url) {
        self.lock().add_to(headers, url);
    }

    pub(crate) fn store(&self, url: &Url, headers: &HeaderMap) {
        self.lock().store(url, headers);
    }

    fn lock(&self) -> MutexGuard<'_, CookieStorage> {
        lock(&self.0)
    }
}

/// Converts a line into a `Set-Cookie` field and the URL of a response that would set it.
fn parse_line(line: &str) -> Result<(Url, String), &'static str> {
    let mut parts = line.splitn(7, '\t');
    let mut next = || parts.next().ok_or("not seven fields separated by tabs");
    let (domain, subdomains, path) = (next()?, next()?, next()?);
    let (secure, expires, name, value) = (next()?, next()?, next()?, next()?);
    let host = domain.trim_start_matches('.');
    let scheme = if secure == "TRUE" { "https" } else { "http" };
    let url = Url::parse(&format!("{scheme}://{host}/")).map_err(|_| "the domain is not valid")?;
    let expires: u64 = expires
        .parse()
        .map_err(|_| "the expiry time is not a number")?;
    let mut field = format!("{name}={value}; Path={path}");
    if subdomains == "TRUE" {
        field.push_str("; Domain=");
        field.push_str(host);
    }
    if secure == "TRUE" {
        field.push_str("; Secure");
    }
    if expires > 0 {
        // The date format ends with the year 9999.
        let end = UNIX_EPOCH + Duration::from_secs(expires.min(253_402_300_799));
        let _ = write!(field, "; Expires={}", httpdate::fmt_http_date(end));
    }
    Ok((url, field))
}

fn write_line(text: &mut String, cookie: &Cookie<'_>) {
    let flag = |flag| if flag { "TRUE" } else { "FALSE" };
    let domain = String::from(&cookie.domain);
    let subdomains = matches!(cookie.domain, cookie_store::CookieDomain::Suffix(_));
    let (name, value) = cookie.name_value();
    let expires = match cookie.expires {
        CookieExpiration::AtUtc(at) => SystemTime::from(at)
            .duration_since(UNIX_EPOCH)
            .map_or(1, |since| since.as_secs().max(1)),
        CookieExpiration::SessionEnd => 0,
    };
    let _ = writeln!(
        text,
        "{}{}{domain}\t{}\t{}\t{}\t{expires}\t{name}\t{value}",
        if cookie.http_only() == Some(true) {
            HTTP_ONLY_PREFIX
        } else {
            ""
        },
        if subdomains { "." } else { "" },
        flag(subdomains),
        String::from(&cookie.path),
        flag(cookie.secure() == Some(true)),
    );
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
        let field = headers.get(http::header::COOKIE)?;
        Some(field.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_file_written_by_curl_is_loaded() {
        let jar = CookieJar::new();
        jar.load(FILE).unwrap();
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(sent(&jar, "http://deep.a.test/"), expected("all=1"));
        assert_eq!(sent(&jar, "https://a.test/x"), expected("one=2; all=1"));
        assert_eq!(sent(&jar, "http://a.test/x"), expected("all=1"));
        assert_eq!(sent(&jar, "http://b.test/"), None, "it has expired");
    }

    #[test]
    fn a_saved_file_can_be_loaded() {
        let jar = CookieJar::new();
        jar.load(FILE).unwrap();
        let again = CookieJar::new();
        again.load(&jar.to_netscape()).unwrap();
        assert_eq!(again.to_netscape(), jar.to_netscape());
        assert_eq!(
            jar.to_netscape().lines().count(),
            3,
            "{}",
            jar.to_netscape()
        );
    }

    #[test]
    fn an_invalid_line_is_named_but_not_shown() {
        for wrong in [
            "secret",
            "a.test\tTRUE\t/\tFALSE\tnever\tk\tsecret",
            "\tTRUE\t/\tFALSE\t0\tk\tsecret",
        ] {
            let error = CookieJar::new().load(&format!("\n{wrong}")).unwrap_err();
            assert!(error.starts_with("line 2: "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
