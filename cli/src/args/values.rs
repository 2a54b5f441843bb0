//! Parsers of option values. Each error says what is wrong and what to write instead.

mod header;
#[cfg(test)]
mod tests;
mod url_form;

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::display::Quoted;
use fetch_driver::TlsVersion;
use fetch_proto::{Method, RulePattern, StatusSet};

pub(crate) use self::header::{HeaderOption, HeaderSource, header, header_source, proxy_header};
pub(crate) use self::url_form::{has_form_of_url, is_file_name, is_local_path};
use super::RetryConditions;
use crate::save::ContinueAt;

/// Over 30 years: no clock overflows when it is added.
const MAX_SECONDS: f64 = 1e9;
const MAX_CONCURRENCY: usize = 1_000_000;

/// An entry of `--resolve`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ResolveEntry {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) addresses: Vec<IpAddr>,
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
    let number = number.ok_or("not a number of seconds: write one such as 10 or 0.5")?;
    if number.is_sign_negative() && number != 0.0 {
        return Err("seconds cannot be negative: write 0 for no limit, or a number above".into());
    }
    if number > MAX_SECONDS {
        return Err("over 30 years: write 0 for no limit".into());
    }
    Ok(Duration::from_secs_f64(number.abs()))
}

pub(crate) fn concurrency(text: &str) -> Result<usize, String> {
    let number = whole(text, "100")?;
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    match number {
        0 => Err("0 would fetch nothing: write 1 or more".into()),
        1..=MAX_CONCURRENCY => Ok(number),
        _ => Err(format!("more than {MAX_CONCURRENCY}: write less")),
    }
}

pub(crate) fn count(text: &str) -> Result<usize, String> {
    Ok(usize::try_from(whole(text, "16")?).unwrap_or(usize::MAX))
}

pub(crate) fn number(text: &str) -> Result<u64, String> {
    whole(text, "7")
}

pub(crate) fn positive(text: &str) -> Result<NonZeroU64, String> {
    NonZeroU64::new(whole(text, "10")?).ok_or_else(|| "0 is none: write 1 or more".into())
}

pub(crate) fn retries(text: &str) -> Result<u16, String> {
    small(text, u16::MAX - 1, "2")
}

/// As in curl, -1 is no limit, which here is more than any chain of redirects has.
pub(crate) fn redirects(text: &str) -> Result<u16, String> {
    match text {
        "-1" => Ok(u16::MAX),
        _ => small(text, u16::MAX, "10"),
    }
}

fn small(text: &str, max: u16, example: &str) -> Result<u16, String> {
    let number = u16::try_from(whole(text, example)?).ok();
    number
        .filter(|n| *n <= max)
        .ok_or_else(|| format!("more than {max}: write less"))
}

fn whole(text: &str, example: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("not a whole number: write one such as {example}"))
}

pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: Option<u64> = digits.parse().ok();
    let number = number.ok_or("not a size: write bytes, or a number with k, M or G such as 64M")?;
    number
        .checked_mul(unit)
        .ok_or_else(|| "too large to count: write less".into())
}

/// The size of the longest body in a record: 64 MiB, which is the limit of bodies in memory.
pub(crate) fn recorded_bytes(text: &str) -> Result<u64, String> {
    match bytes(text)? {
        size if size <= 64 << 20 => Ok(size),
        _ => Err("over 64M: save long bodies in files, with --output-dir or --tar".into()),
    }
}

/// Splits at the last `=`, because a pattern may contain others.
pub(crate) fn pattern_timeout(text: &str) -> Result<(RulePattern, Duration), String> {
    let (pattern, limit) = text.rsplit_once('=').ok_or(
        "no limit: write PATTERN=SECONDS such as /reports/=60, or -m SECONDS for all URLs",
    )?;
    let limit = seconds(limit)?;
    let pattern = RulePattern::parse(pattern).map_err(|error| format!("the pattern {error}"))?;
    Ok((pattern, limit))
}

pub(crate) fn method(text: &str) -> Result<Method, String> {
    let method: Method = text.parse().map_err(|error| format!("{error}"))?;
    if let Method::Other(token) = &method {
        let upper = token.to_ascii_uppercase();
        if *token.to_ascii_uppercase() != **token && !matches!(upper.parse(), Ok(Method::Other(_)))
        {
            return Err(format!("methods are case-sensitive: write {upper}"));
        }
        if upper == "CONNECT" {
            return Err("CONNECT asks for a tunnel, which is not a fetch".into());
        }
    }
    Ok(method)
}

/// A file to send. A URL here means that the name was forgotten.
pub(crate) fn upload(text: &str) -> Result<PathBuf, String> {
    match text {
        "." => Err(
            "curl's -T . is not supported: write -T -, which reads stdin to its end first".into(),
        ),
        _ => path(text),
    }
}

/// A request target that is sent as it is.
pub(crate) fn request_target(text: &str) -> Result<String, String> {
    let is_valid = text == "*" || text.starts_with('/');
    match is_valid && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err("write a path and query such as /a?b, percent-encoded, or *".into()),
    }
}

pub(crate) fn user(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        None => Err("write USER:PASSWORD; the password may be empty".into()),
        Some(_) => Ok(text.to_owned()),
    }
}

/// The value of `-U`, which is the user agent to wget.
pub(crate) fn proxy_user(text: &str) -> Result<String, String> {
    user(text).map_err(|why| format!("{why}; a user agent, as of wget's -U, is -A NAME"))
}

pub(crate) fn resolve(text: &str) -> Result<ResolveEntry, String> {
    let form = "write HOST:PORT:ADDRESS such as example.com:443:127.0.0.1";
    if text.starts_with(['-', '*']) {
        return Err(format!(
            "curl's forms with - and * are not supported: {form}"
        ));
    }
    // In curl, + lets the entry expire. Here no entry expires before the run ends.
    let text = text.strip_prefix('+').unwrap_or(text);
    let mut parts = text.splitn(3, ':');
    let (Some(host), Some(port), Some(addresses)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(format!("a part is missing: {form}"));
    };
    let port = port.parse().ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| format!("the port is not from 1 to 65535: {form}"))?;
    if host.is_empty() {
        return Err(format!("there is no host: {form}"));
    }
    let address = |text: &str| {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        bare.parse()
            .map_err(|_| format!("{} is not an IP address: {form}", Quoted(text)))
    };
    let addresses = addresses
        .split(',')
        .map(address)
        .collect::<Result<_, _>>()?;
    Ok(ResolveEntry {
        host: host.to_ascii_lowercase(),
        port,
        addresses,
    })
}

/// An address to listen on. A port alone means 127.0.0.1.
pub(crate) fn listen(text: &str) -> Result<std::net::SocketAddr, String> {
    let whole = match text.parse::<u16>() {
        Ok(port) => format!("127.0.0.1:{port}"),
        Err(_) => text.to_owned(),
    };
    let form = "not an address: write a port such as 9100, or 127.0.0.1:9100 or [::1]:9100";
    whole.parse().map_err(|_| form.to_owned())
}

pub(crate) fn proxy(text: &str) -> Result<String, String> {
    // The error must not contain a password.
    match fetch_driver::Proxy::parse(text) {
        _ if text.is_empty() => Ok(String::new()),
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The value of `--tls-max`. The newest version is no bound, but counts as given.
pub(crate) fn tls_max(text: &str) -> Result<TlsVersion, String> {
    match text {
        "1.2" => Ok(TlsVersion::Tls12),
        "1.3" | "default" => Ok(TlsVersion::Tls13),
        "1.0" | "1.1" => Err("TLS 1.2 is the oldest version that is supported: write 1.2".into()),
        _ => Err("not a version of TLS: write 1.2 or 1.3".into()),
    }
}

/// The schemes of curl that are not fetched.
const OTHER_SCHEMES: [&str; 27] = [
    "dict", "file", "ftp", "ftps", "gopher", "gophers", "imap", "imaps", "ldap", "ldaps", "mqtt",
    "pop3", "pop3s", "rtmp", "rtmpe", "rtmps", "rtmpt", "rtmpte", "rtmpts", "rtsp", "scp", "sftp",
    "smb", "smbs", "smtp", "smtps", "telnet",
];

/// Whether a list of schemes in curl's syntax allows http. `+` (the default) adds a scheme, `-` removes
/// it, and `=` allows only it.
pub(crate) fn allows_http(text: &str) -> Result<bool, String> {
    let (mut http, mut https) = (true, true);
    for part in text.split(',') {
        let name = part.trim_start_matches(['+', '-', '=']);
        let modifiers = &part[..part.len() - name.len()];
        if modifiers.contains('=') {
            (http, https) = (false, false);
        }
        let allowed = !modifiers.ends_with('-');
        let name = name.to_ascii_lowercase();
        match &*name {
            "all" => (http, https) = (allowed, allowed),
            "http" => http = allowed,
            "https" => https = allowed,
            other if OTHER_SCHEMES.contains(&other) => {}
            _ => {
                return Err(format!(
                    "'{name}' is no scheme: write =https, or leave it out"
                ));
            }
        }
    }
    match https {
        true => Ok(http),
        false => Err("https is always allowed: write =https, or leave it out".into()),
    }
}

pub(crate) fn no_proxy(text: &str) -> Result<String, String> {
    let rules = fetch_driver::ProxyRules::new().no_proxy(text);
    rules.map(|_| text.to_owned()).map_err(|e| e.to_string())
}

/// Statuses, classes of them such as 5xx, and `unanswered`.
pub(crate) fn retry_conditions(text: &str) -> Result<RetryConditions, String> {
    let mut conditions = RetryConditions::default();
    for part in text.split(',').map(str::trim) {
        if part == "unanswered" {
            conditions.unanswered = true;
            continue;
        }
        let hundred = part.strip_suffix("xx").or_else(|| part.strip_suffix("XX"));
        let all = match hundred {
            Some(digit) => digit.parse().ok().map(|n: u8| {
                let first = u16::from(n) * 100;
                first..first + 100
            }),
            None => part.parse().ok().map(|n: u16| n..n.saturating_add(1)),
        };
        let all = all.filter(|all| all.start >= 300 && all.end <= 600);
        let form = "write statuses from 300 to 599 such as 429,503 or 5xx, or `unanswered`";
        for status in all.ok_or_else(|| format!("{} cannot be retried: {form}", Quoted(part)))? {
            let set = conditions.statuses.unwrap_or(StatusSet::EMPTY);
            conditions.statuses = Some(set.with(status));
        }
    }
    Ok(conditions)
}

/// The field `Referer`. curl's `;auto` is no part of it.
pub(crate) fn referer(text: &str) -> Result<String, String> {
    match text.strip_suffix(";auto") {
        None if text.starts_with("robots=") => {
            Err("leave it out: robots.txt is obeyed with --robots only, unlike wget's".into())
        }
        Some(url) => Err(format!(
            "redirects do not change Referer here: write \"{url}\", without ;auto"
        )),
        None => Ok(text.to_owned()),
    }
}

/// The part of `Range` after `bytes=` (RFC 9110, 14.1.2).
pub(crate) fn range(text: &str) -> Result<String, String> {
    let is_one = |part: &str| {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        part.trim().split_once('-').is_some_and(|(first, last)| {
            digits(first) && digits(last) && !(first.is_empty() && last.is_empty())
        })
    };
    match text.split(',').all(is_one) {
        true => Ok(text.to_owned()),
        false => Err("not a byte range: write one such as 0-99, 500- or -500".into()),
    }
}

pub(crate) fn continue_at(text: &str) -> Result<ContinueAt, String> {
    match text.parse() {
        _ if text == "-" => Ok(ContinueAt::Length),
        Ok(offset) => Ok(ContinueAt::Offset(offset)),
        Err(_) => Err(
            "not an offset: write -C -, which finds the offset of each file, or a number of bytes"
                .into(),
        ),
    }
}

pub(crate) fn output(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("no name: write a file, or - for stdout".into()),
        "-" => Ok(PathBuf::from(text)),
        _ => path(text),
    }
}

/// A path. A URL here means that the value of the option was forgotten.
pub(crate) fn path(text: &str) -> Result<PathBuf, String> {
    if text.contains("://") {
        return Err("a URL, not a path: write the path first".into());
    }
    if text.is_empty() {
        return Err("no name: write a path".into());
    }
    if text.starts_with('-') && text != "-" {
        return Err(format!(
            "an option, not a path: write the path first, or ./{text}"
        ));
    }
    Ok(PathBuf::from(text))
}

/// A list of URLs.
pub(crate) fn list_file(text: &str) -> Result<PathBuf, String> {
    match text {
        "-" => Ok(PathBuf::from(text)),
        _ if text.contains("://") => Err(
            "a URL, not a list: write URLs without -i; curl's -i (header fields) is \
             --record-headers"
                .into(),
        ),
        _ => path(text),
    }
}

pub(crate) fn log_file(text: &str) -> Result<PathBuf, String> {
    if text.contains("://") {
        return Err("a URL, not a file: put URLs first, or write --log-file=PATH".into());
    }
    Ok(Path::new(text).to_owned())
}
