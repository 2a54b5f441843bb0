//! Header fields: `-H` and `--proxy-header`.

use crate::display::Quoted;
use std::path::PathBuf;

use http::{HeaderName, HeaderValue};

/// A field of `-H`.
#[derive(Clone, Debug)]
pub(crate) struct HeaderOption {
    pub(crate) name: HeaderName,
    /// `None` removes the default.
    pub(crate) value: Option<HeaderValue>,
}

/// Fields that follow from the request and its body.
const DERIVED_FIELDS: [&str; 2] = ["content-length", "transfer-encoding"];

/// A value of `-H`.
#[derive(Clone, Debug)]
pub(crate) enum HeaderSource {
    Field(HeaderOption),
    /// A file with one field per line, `-` for stdin.
    File(PathBuf),
}

pub(crate) fn header_source(text: &str) -> Result<HeaderSource, String> {
    match text.strip_prefix('@') {
        Some("") => Err("no file: write @FILE, or @- for stdin".into()),
        Some(file) => Ok(HeaderSource::File(PathBuf::from(file))),
        None => header(text).map(HeaderSource::Field),
    }
}

pub(crate) fn header(text: &str) -> Result<HeaderOption, String> {
    let form = "write 'Name: value', 'Name;' for an empty one, 'Name:' to remove a default";
    let (name, value) = match text.split_once(':') {
        Some((name, value)) => (name, Some(value.trim()).filter(|value| !value.is_empty())),
        None => (
            text.trim_end()
                .strip_suffix(';')
                .ok_or_else(|| format!("no colon: {form}"))?,
            Some(""),
        ),
    };
    let name = HeaderName::try_from(name.trim())
        .map_err(|_| format!("{} is not a field's name: {form}", Quoted(name.trim())))?;
    if DERIVED_FIELDS.contains(&name.as_str()) && value.is_some() {
        return Err(format!(
            "{name} cannot be set: leave it out, it is derived from the request's body"
        ));
    }
    if name == http::header::CONNECTION {
        return connection(value);
    }
    let value = value.map(HeaderValue::try_from).transpose();
    let value = value.map_err(|_| format!("the value of {name} has a control character"))?;
    Ok(HeaderOption { name, value })
}

/// The field `Connection`: connections are kept alive anyway, and `close` can be asked for.
fn connection(value: Option<&str>) -> Result<HeaderOption, String> {
    let value = match value.unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "keep-alive" => None,
        "close" => Some(HeaderValue::from_static("close")),
        _ => return Err("connection can only be close or keep-alive: leave it out".into()),
    };
    let name = http::header::CONNECTION;
    Ok(HeaderOption { name, value })
}

/// A field for proxies: there is no default to remove.
pub(crate) fn proxy_header(text: &str) -> Result<HeaderOption, String> {
    let option = header(text)?;
    match option.value {
        Some(_) => Ok(option),
        None => Err("no value: write 'Name: value'".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_fields_follow_curl() {
        let value = |text| {
            header(text)
                .unwrap()
                .value
                .map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(value("X-A: b: c").as_deref(), Some("b: c"));
        assert_eq!(value("X-A;").as_deref(), Some(""));
        assert_eq!(value("X-A;  ").as_deref(), Some(""));
        assert_eq!(value("Host: a").as_deref(), Some("a"));
        assert_eq!(value("Connection: Close").as_deref(), Some("close"));
        assert_eq!(value("Connection: keep-alive"), None);
        assert_eq!(value("Accept:"), None);
        for wrong in [
            "X-A",
            "X A: b",
            ": b",
            "X: a\nb",
            "Content-Length: 1",
            "Transfer-Encoding: chunked",
            "Connection: upgrade",
        ] {
            assert!(header(wrong).is_err(), "{wrong}");
        }
    }
}
