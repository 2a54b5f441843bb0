//! The lines of cookie files in Netscape's format.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cookie_store::{Cookie, CookieDomain, CookieExpiration};
use url::Url;

/// The first line, by which curl and others recognise a cookie file.
pub(super) const HEADER: &str = "# Netscape HTTP Cookie File\n";

/// Prefix of the domain of a cookie that is not accessible to scripts.
const HTTP_ONLY_PREFIX: &str = "#HttpOnly_";

/// The start of a line in the format of header fields, as curl reads them.
const FIELD_PREFIX: &str = "set-cookie:";

/// The cookie of a line.
pub(super) struct FileCookie {
    /// The value of a `Set-Cookie` field.
    pub(super) set_cookie: String,
    /// The URL of a response that would set it.
    pub(super) url: Url,
}

/// Parses a line; `None` if it is a comment or empty.
///
/// # Errors
///
/// Why it is no cookie.
pub(super) fn parse(line: &str) -> Result<Option<FileCookie>, &'static str> {
    let line = line.trim_end_matches('\r');
    let bare = line.strip_prefix(HTTP_ONLY_PREFIX).unwrap_or(line);
    if bare.starts_with('#') || bare.trim().is_empty() {
        return Ok(None);
    }
    if let Some((start, field)) = line.split_at_checked(FIELD_PREFIX.len())
        && start.eq_ignore_ascii_case(FIELD_PREFIX)
    {
        return parse_field(field).map(Some);
    }
    let fields: Vec<_> = bare.split('\t').collect();
    let (value, fields) = match fields[..] {
        [domain, subdomains, path, secure, expires, name] => {
            ("", [domain, subdomains, path, secure, expires, name])
        }
        [domain, subdomains, path, secure, expires, name, value] => {
            (value, [domain, subdomains, path, secure, expires, name])
        }
        [_] if bare.split_whitespace().count() == 7 => {
            return Err("its fields are separated by spaces, not by tabs");
        }
        [_, _, _, _, _, _, _, ..] => return Err("it has a tab in its value, or too many fields"),
        _ => return Err("not seven fields separated by tabs"),
    };
    let [domain, subdomains, path, secure, expires, name] = fields.map(str::trim);
    if [domain, path, name, value]
        .concat()
        .contains(char::is_control)
    {
        return Err("it has a control character");
    }
    if [path, name, value].concat().contains(';') || name.contains('=') {
        return Err("it has a semicolon, or an equals sign in its name");
    }
    if name.is_empty() {
        return Err("it has no name");
    }
    let is_true = |flag: &str| flag.eq_ignore_ascii_case("TRUE");
    let host = domain.trim_start_matches('.');
    let url = url_of(host, is_true(secure))?;
    let path = if path.is_empty() { "/" } else { path };
    let mut field = format!("{name}={value}; Path={path}");
    if is_true(subdomains) {
        field.push_str("; Domain=");
        field.push_str(host);
    }
    if is_true(secure) {
        field.push_str("; Secure");
    }
    if bare.len() < line.len() {
        field.push_str("; HttpOnly");
    }
    // A session cookie has 0; some tools write -1 or nothing, others fractions of seconds.
    let expires = match expires {
        "" => 0.0,
        expires => expires
            .parse::<f64>()
            .map_err(|_| "its expiry time is not a number")?,
    };
    if expires > 0.0 {
        // The date format ends with the year 9999.
        let end = UNIX_EPOCH + Duration::from_secs(expires.min(253_402_300_799.0) as u64);
        let _ = write!(field, "; Expires={}", httpdate::fmt_http_date(end));
    }
    Ok(Some(FileCookie {
        set_cookie: field,
        url,
    }))
}

/// The cookie of a header field, which needs a domain, because the file does not say who sent it.
fn parse_field(field: &str) -> Result<FileCookie, &'static str> {
    if field.trim().contains(char::is_control) {
        return Err("it has a control character");
    }
    let attribute = |wanted: &str| {
        let parts = field.split(';').skip(1).map(str::trim);
        let mut pairs = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
        let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
        Some(value.trim())
    };
    let domain = attribute("domain").ok_or("it has no domain")?;
    let url = url_of(
        domain.trim_start_matches('.'),
        attribute("secure").is_some(),
    )?;
    Ok(FileCookie {
        set_cookie: field.trim().to_owned(),
        url,
    })
}

fn url_of(host: &str, secure: bool) -> Result<Url, &'static str> {
    let scheme = if secure { "https" } else { "http" };
    if host.contains(['@', '/', '\\', '?', '#']) {
        return Err("its domain is not valid");
    }
    let host = match host.matches(':').count() {
        0 | 1 => host.to_owned(),
        _ => format!("[{}]", host.trim_matches(['[', ']'])),
    };
    let url = Url::parse(&format!("{scheme}://{host}/"));
    url.map_err(|_| "its domain is not valid")
}

/// The line of a cookie; `None` if the format cannot hold it.
pub(super) fn write(cookie: &Cookie<'_>) -> Option<String> {
    let flag = |flag| if flag { "TRUE" } else { "FALSE" };
    let (domain, path) = (String::from(&cookie.domain), String::from(&cookie.path));
    let subdomains = matches!(cookie.domain, CookieDomain::Suffix(_));
    let (name, value) = cookie.name_value();
    let expires = match cookie.expires {
        CookieExpiration::AtUtc(at) => SystemTime::from(at)
            .duration_since(UNIX_EPOCH)
            .map_or(1, |since| since.as_secs().max(1)),
        CookieExpiration::SessionEnd => 0,
    };
    let has_control = [&domain, &path, name, value]
        .iter()
        .any(|text| text.contains(char::is_control));
    (!has_control).then(|| {
        format!(
            "{}{}{domain}\t{}\t{path}\t{}\t{expires}\t{name}\t{value}\n",
            if cookie.http_only() == Some(true) {
                HTTP_ONLY_PREFIX
            } else {
                ""
            },
            if subdomains { "." } else { "" },
            flag(subdomains),
            flag(cookie.secure() == Some(true)),
        )
    })
}
