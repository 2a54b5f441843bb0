//! The lines of cookie files in Netscape's format.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use url::Url;

use super::set_cookie::{MAX_PAIR_LENGTH, SetCookie};
use super::storage::{CookieStorage, StoredCookie};

/// The first line, by which curl and others recognise a cookie file.
pub(super) const HEADER: &[u8] = b"# Netscape HTTP Cookie File\n";

/// Prefix of the domain of a cookie that is not accessible to scripts.
const HTTP_ONLY_PREFIX: &[u8] = b"#HttpOnly_";

/// The start of a line in the format of header fields, as curl reads them.
const FIELD_PREFIX: &[u8] = b"set-cookie:";

/// The end of the year 9999, in seconds since 1970. Later times are of no use to anyone.
const LATEST: f64 = 253_402_300_799.0;

/// Why [`CookieStorage`] refused a cookie.
const REFUSED: &str = "no server may set it: look at its domain, and at its name's prefix";

/// Adds the cookie of a line. Comments and empty lines have none.
///
/// # Errors
///
/// Why the line is no cookie.
pub(super) fn load_line(
    line: &[u8],
    storage: &mut CookieStorage,
    now: SystemTime,
) -> Result<(), &'static str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let bare = line.strip_prefix(HTTP_ONLY_PREFIX).unwrap_or(line);
    if bare.starts_with(b"#") || bare.trim_ascii().is_empty() {
        return Ok(());
    }
    if let Some((start, field)) = line.split_at_checked(FIELD_PREFIX.len())
        && start.eq_ignore_ascii_case(FIELD_PREFIX)
    {
        return load_field(field, storage, now);
    }
    let [domain, subdomains, path, secure, expires, name, value] = split_tabs(bare)?
        .or_else(|| split_spaces(bare))
        .ok_or("not seven fields separated by tabs")?;
    if [domain, path, name, value]
        .concat()
        .iter()
        .any(u8::is_ascii_control)
    {
        return Err("it has a control character");
    }
    if [path, name, value].concat().contains(&b';') || name.contains(&b'=') {
        return Err("it has a semicolon, or an equals sign in its name");
    }
    if name.is_empty() && value.is_empty() {
        return Err("it has no name");
    }
    if name.len() + value.len() > MAX_PAIR_LENGTH {
        return Err("its name and value have more than 4,096 bytes");
    }
    let is_true = |flag: &[u8]| flag.eq_ignore_ascii_case(b"TRUE");
    let url = url_of(domain)?;
    let cookie = SetCookie {
        name,
        value,
        domain: url
            .host_str()
            .filter(|_| is_true(subdomains))
            .map(str::as_bytes),
        expires: parse_expiry(expires)?,
        http_only: bare.len() < line.len(),
        path: Some(path.starts_with(b"/").then_some(path)),
        secure: is_true(secure),
        ..SetCookie::default()
    };
    let is_set = storage.insert(&url, &cookie, now, None);
    is_set.then_some(()).ok_or(REFUSED)
}

/// The fields of a line that has tabs, without the spaces around them. The value may be missing.
fn split_tabs(line: &[u8]) -> Result<Option<[&[u8]; 7]>, &'static str> {
    let fields: Vec<_> = line
        .split(|byte| *byte == b'\t')
        .map(<[u8]>::trim_ascii)
        .collect();
    match fields[..] {
        [a, b, c, d, e, name] => Ok(Some([a, b, c, d, e, name, b""])),
        [a, b, c, d, e, name, value] => Ok(Some([a, b, c, d, e, name, value])),
        [_, _, _, _, _, _, _, ..] => Err("it has a tab in its value, or too many fields"),
        _ => Ok(None),
    }
}

/// The fields of a line whose tabs have become spaces: in a text that was copied, for instance.
fn split_spaces(line: &[u8]) -> Option<[&[u8]; 7]> {
    let mut rest = line.trim_ascii();
    let mut fields = [&b""[..]; 7];
    for field in &mut fields[..6] {
        let end = rest
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap_or(rest.len());
        (*field, rest) = (&rest[..end], rest[end..].trim_ascii_start());
    }
    fields[6] = rest;
    let is_flag =
        |flag: &[u8]| flag.eq_ignore_ascii_case(b"TRUE") || flag.eq_ignore_ascii_case(b"FALSE");
    (is_flag(fields[1]) && is_flag(fields[3]) && !fields[5].is_empty()).then_some(fields)
}

/// The time after which a cookie is no longer sent. A session cookie has 0; some tools write -1 or nothing,
/// others fractions of seconds.
fn parse_expiry(text: &[u8]) -> Result<Option<SystemTime>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let seconds = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    match seconds.filter(|seconds| !seconds.is_nan()) {
        None => Err("its expiry time is not a number"),
        Some(seconds) if seconds <= 0.0 => Ok(None),
        Some(seconds) => Ok(Some(
            UNIX_EPOCH + Duration::from_secs(seconds.min(LATEST) as u64),
        )),
    }
}

/// Adds the cookie of a header field, which needs a domain, because the file does not say who sent it.
fn load_field(
    field: &[u8],
    storage: &mut CookieStorage,
    now: SystemTime,
) -> Result<(), &'static str> {
    let field = field.trim_ascii();
    let cookie = Some(field).filter(|field| !field.iter().any(u8::is_ascii_control));
    let cookie = cookie.and_then(SetCookie::parse);
    let cookie = cookie.ok_or("it is empty, too long, or has a control character")?;
    let url = url_of(cookie.domain.ok_or("it has no domain")?)?;
    let is_set = storage.insert(&url, &cookie, now, None);
    is_set.then_some(()).ok_or(REFUSED)
}

/// The address of a server that may set all cookies of a domain.
fn url_of(domain: &[u8]) -> Result<Url, &'static str> {
    let invalid = "its domain is not valid";
    let host = std::str::from_utf8(domain).map_err(|_| invalid)?;
    let host = host.trim_start_matches('.');
    if host.contains(['@', '/', '\\', '?', '#']) {
        return Err(invalid);
    }
    let host = match host.matches(':').count() {
        0 | 1 => host.to_owned(),
        _ => format!("[{}]", host.trim_matches(['[', ']'])),
    };
    Url::parse(&format!("https://{host}/")).map_err(|_| invalid)
}

/// The line of a cookie; `None` if the format cannot hold it.
///
/// A cookie without name has an empty field, as Python's `MozillaCookieJar` writes it.
pub(super) fn write(cookie: &StoredCookie) -> Option<Vec<u8>> {
    let flag = |flag| if flag { "TRUE" } else { "FALSE" };
    let expires = cookie.expires.map_or(0, |at| {
        let since = at.duration_since(UNIX_EPOCH);
        since.map_or(1, |since| since.as_secs().max(1))
    });
    let prefix = if cookie.http_only {
        HTTP_ONLY_PREFIX
    } else {
        b""
    };
    let start = format!(
        "{}{}\t{}\t{}\t{}\t{expires}\t",
        if cookie.host_only { "" } else { "." },
        cookie.domain.trim_matches(['[', ']']),
        flag(!cookie.host_only),
        cookie.path,
        flag(cookie.secure),
    );
    let line = [prefix, start.as_bytes(), &cookie.name, b"\t", &cookie.value].concat();
    let tabs = line.iter().filter(|byte| byte.is_ascii_control()).count();
    (tabs == 6).then(|| [&line[..], b"\n"].concat())
}
