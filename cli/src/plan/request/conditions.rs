//! The fields of conditional requests.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::SystemTime;

use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::field;
use crate::args::CliArgs;
use crate::display::Quoted;
use crate::exit::CliError;

/// An entity tag that no response has, so that everything is sent.
const NO_ETAG: &str = "\"\"";

/// Adds the fields of `--etag-compare` and `--time-cond`.
pub(super) fn set_conditions(args: &CliArgs, headers: &mut HeaderMap) -> Result<(), CliError> {
    let condition = &args.condition;
    if let Some(path) = &condition.etag_compare {
        let tag = read_etag(path)?;
        headers.insert(IF_NONE_MATCH, field("--etag-compare", &tag)?);
    }
    let Some(text) = &condition.time_cond else {
        return Ok(());
    };
    let (name, text) = match text.strip_prefix('-') {
        Some(text) => (IF_UNMODIFIED_SINCE, text),
        None => (IF_MODIFIED_SINCE, text.strip_prefix('+').unwrap_or(text)),
    };
    let time = parse_date(text).or_else(|| fs::metadata(text).ok()?.modified().ok());
    let Some(time) = time else {
        return Err(CliError::usage(format!(
            "--time-cond {}: neither a date nor a file: write a date such as 2026-11-30 or \
             'Mon, 30 Nov 2026 10:00:00 GMT', or the name of a file that exists",
            Quoted(text)
        )));
    };
    if let Ok(value) = HeaderValue::from_str(&httpdate::fmt_http_date(time)) {
        headers.insert(name, value);
    }
    Ok(())
}

/// The entity tag in a file: its first line.
fn read_etag(path: &Path) -> Result<String, CliError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => {
            let path = path.display();
            return Err(CliError::file(format!("--etag-compare {path}: {error}")));
        }
    };
    let line = text.lines().next().unwrap_or_default().trim();
    Ok(if line.is_empty() { NO_ETAG } else { line }.to_owned())
}

/// A date of HTTP, or one of ISO 8601, in UTC if it names no zone.
fn parse_date(text: &str) -> Option<SystemTime> {
    if let Ok(time) = httpdate::parse_http_date(text) {
        return Some(time);
    }
    let of_civil = |time: DateTime| Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let time = text.parse::<Timestamp>().ok();
    let time = time.or_else(|| of_civil(text.parse::<DateTime>().ok()?));
    let time = time.or_else(|| of_civil(text.parse::<Date>().ok()?.at(0, 0, 0, 0)));
    // HTTP has no dates before 1970.
    time.filter(|time| time.as_second() >= 0)
        .map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_and_of_iso_8601_are_read() {
        let expected = httpdate::parse_http_date("Mon, 30 Nov 2026 10:00:00 GMT").ok();
        for text in [
            "Mon, 30 Nov 2026 10:00:00 GMT",
            "2026-11-30T10:00:00Z",
            "2026-11-30T12:00:00+02:00",
            "2026-11-30 10:00:00",
        ] {
            assert_eq!(parse_date(text), expected, "{text}");
        }
        let midnight = httpdate::parse_http_date("Mon, 30 Nov 2026 00:00:00 GMT").ok();
        assert_eq!(parse_date("2026-11-30"), midnight);
        assert_eq!(parse_date("yesterday"), None);
        assert_eq!(parse_date("1969-01-01"), None);
    }

    #[test]
    fn an_etag_is_the_first_line_of_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("etag");
        assert_eq!(read_etag(&path).unwrap(), NO_ETAG);
        for (text, expected) in [("", NO_ETAG), ("\"1\"\n", "\"1\""), ("W/\"2\"", "W/\"2\"")] {
            fs::write(&path, text).unwrap();
            assert_eq!(read_etag(&path).unwrap(), expected);
        }
    }
}
