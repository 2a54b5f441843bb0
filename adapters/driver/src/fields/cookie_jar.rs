//! A jar that outlives its fetcher, and its text form.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cookie_store::{Cookie, CookieExpiration};
use http::HeaderMap;
use url::Url;

use crate::fields::cookies::Jar;

/// The first line of a cookie file, by which curl and others know one.
const MAGIC: &str = "# Netscape HTTP Cookie File\n";

/// What stands before the domain of a cookie that scripts may not see.
const HTTP_ONLY: &str = "#HttpOnly_";

/// A jar of cookies to give to fetchers, to fill from a file and to write to one.
///
/// Its clones are the same jar. The file's form is Netscape's, as curl's `--cookie-jar` has it: a
/// cookie on each line, in seven fields parted by tabs.
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
pub struct CookieJar(Arc<Mutex<Jar>>);

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

    /// Adds the cookies of a file in Netscape's form. Those that have expired are left out.
    ///
    /// ```
    /// let jar = fetch_driver::CookieJar::new();
    /// let error = jar.load("# a comment\nno cookie\n").unwrap_err();
    /// assert!(error.starts_with("line 2: "));
    /// ```
    ///
    /// # Errors
    ///
    /// If a line is no cookie; the error names the line, but not what it holds. Those before it are
    /// in the jar then.
    pub fn load(&self, text: &str) -> Result<(), String> {
        let mut jar = self.lock();
        for (number, line) in (1..).zip(text.lines()) {
            let bare = line.strip_prefix(HTTP_ONLY).unwrap_or(line);
            if bare.starts_with('#') || bare.trim().is_empty() {
                continue;
            }
            let (url, field) = parse(bare).map_err(|why| format!("line {number}: {why}"))?;
            let http_only = if bare.len() < line.len() {
                "; HttpOnly"
            } else {
                ""
            };
            jar.set(&url, &format!("{field}{http_only}"));
        }
        Ok(())
    }

    /// All cookies, as a file in Netscape's form. Cookies of the session, which have no end, are in
    /// it too, as curl does it.
    ///
    /// ```
    /// let jar = fetch_driver::CookieJar::new();
    /// assert_eq!(jar.to_netscape().lines().count(), 1);
    /// ```
    #[must_use]
    pub fn to_netscape(&self) -> String {
        let mut text = MAGIC.to_owned();
        for cookie in self.lock().iter() {
            line(&mut text, cookie);
        }
        text
    }

    pub(crate) fn add_to(&self, headers: &mut HeaderMap, url: &Url) {
        self.lock().add_to(headers, url);
    }

    pub(crate) fn store(&self, url: &Url, headers: &HeaderMap) {
        self.lock().store(url, headers);
    }

    fn lock(&self) -> MutexGuard<'_, Jar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line's cookie, as the `Set-Cookie` field that a response from this URL would set it with.
fn parse(line: &str) -> Result<(Url, String), &'static str> {
    let mut parts = line.splitn(7, '\t');
    let mut next = || parts.next().ok_or("not seven fields, parted by tabs");
    let (domain, subdomains, path) = (next()?, next()?, next()?);
    let (secure, expires, name, value) = (next()?, next()?, next()?, next()?);
    let host = domain.trim_start_matches('.');
    let scheme = if secure == "TRUE" { "https" } else { "http" };
    let url = Url::parse(&format!("{scheme}://{host}/")).map_err(|_| "the domain is none")?;
    let expires: u64 = expires
        .parse()
        .map_err(|_| "the time of expiry is no number")?;
    let mut field = format!("{name}={value}; Path={path}");
    if subdomains == "TRUE" {
        field.push_str("; Domain=");
        field.push_str(host);
    }
    if secure == "TRUE" {
        field.push_str("; Secure");
    }
    if expires > 0 {
        // The year 9999 is the last that the form of a date has room for.
        let end = UNIX_EPOCH + Duration::from_secs(expires.min(253_402_300_799));
        let _ = write!(field, "; Expires={}", httpdate::fmt_http_date(end));
    }
    Ok((url, field))
}

fn line(text: &mut String, cookie: &Cookie<'_>) {
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
            HTTP_ONLY
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
    fn a_file_of_curls_is_understood() {
        let jar = CookieJar::new();
        jar.load(FILE).unwrap();
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(sent(&jar, "http://deep.a.test/"), expected("all=1"));
        assert_eq!(sent(&jar, "https://a.test/x"), expected("one=2; all=1"));
        assert_eq!(sent(&jar, "http://a.test/x"), expected("all=1"));
        assert_eq!(sent(&jar, "http://b.test/"), None, "it has expired");
    }

    #[test]
    fn what_is_written_is_read_again() {
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
    fn a_wrong_line_is_named_but_not_shown() {
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
