//! The body from `-d`, `--json` and similar options.

use std::borrow::Cow;
use std::fs;
use std::io::Read;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::args::BodyPartKind;
use crate::args::CliArgs;
use crate::exit::CliError;

/// All but the unreserved characters of RFC 3986, as in curl.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Joins the parts.
///
/// # Errors
///
/// If a file cannot be read.
pub(super) fn body(args: &CliArgs) -> Result<Vec<u8>, CliError> {
    let separator: &[u8] = if args.body.is_json() { b"" } else { b"&" };
    let parts = args.body.0.iter();
    let parts = parts.map(|(kind, value)| match kind {
        BodyPartKind::Raw => Ok(value.as_bytes().to_vec()),
        BodyPartKind::UrlEncode => encoded(value, args),
        kind => plain(*kind, value, args),
    });
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    Ok(parts.join(separator))
}

/// The text, or the content of the file.
fn plain(kind: BodyPartKind, value: &str, args: &CliArgs) -> Result<Vec<u8>, CliError> {
    let Some(path) = value.strip_prefix('@') else {
        return Ok(value.as_bytes().to_vec());
    };
    let mut bytes = read(kind, path, args)?;
    if kind == BodyPartKind::Data {
        bytes.retain(|byte| !b"\r\n\0".contains(byte));
    }
    Ok(bytes)
}

/// curl's five forms of `--data-urlencode`. A name before the data is not encoded.
pub(super) fn encoded(value: &str, args: &CliArgs) -> Result<Vec<u8>, CliError> {
    let mark = value.find(['=', '@']);
    let (name, data) = match mark {
        None => ("", Cow::Borrowed(value.as_bytes())),
        Some(at) => {
            let (name, data) = (&value[..at], &value[at + 1..]);
            match value.as_bytes()[at] {
                b'@' => (name, Cow::Owned(read(BodyPartKind::UrlEncode, data, args)?)),
                _ => (name, Cow::Borrowed(data.as_bytes())),
            }
        }
    };
    // As in forms, a space is a plus sign.
    let data = percent_encode(&data, ENCODED)
        .to_string()
        .replace("%20", "+");
    Ok(match name {
        "" => data.into_bytes(),
        name => format!("{name}={data}").into_bytes(),
    })
}

fn read(kind: BodyPartKind, path: &str, args: &CliArgs) -> Result<Vec<u8>, CliError> {
    let option = kind.name();
    match path {
        "" => {
            return Err(CliError::usage(format!(
                "--{option} @: no file: write --{option} @FILE"
            )));
        }
        "-" => {
            if args.input.takes_stdin() {
                return Err(CliError::usage(format!(
                    "--{option} @- and -i -: stdin can be read only once"
                )));
            }
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        }
        path => fs::read(path),
    }
    .map_err(|error| {
        CliError::file(format!(
            "--{option} @{path}: cannot be read: {error}: check the name of the file"
        ))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn text(options: &[&str]) -> String {
        let args = CliArgs::try_parse_from(["fetch-all"].iter().chain(options)).unwrap();
        String::from_utf8(body(&args).unwrap()).unwrap()
    }

    #[test]
    fn parts_are_joined_in_the_order_of_the_options() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("data");
        fs::write(&file, "b\n=\r\n2").unwrap();
        let file = format!("@{}", file.display());
        assert_eq!(
            text(&[
                "-d",
                "a=1",
                "--data-binary",
                &file,
                "-d",
                &file,
                "--data-raw",
                "@x"
            ]),
            "a=1&b\n=\r\n2&b=2&@x"
        );
        assert_eq!(text(&["--json", "{\"a\":", "--json", "1}"]), "{\"a\":1}");
    }

    #[test]
    fn data_is_percent_encoded_in_curls_five_forms() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("data");
        fs::write(&file, "a\nb").unwrap();
        for (value, expected) in [
            ("a b+&c".to_owned(), "a+b%2B%26c"),
            ("=a=b".to_owned(), "a%3Db"),
            ("q=ä~.-_".to_owned(), "q=%C3%A4~.-_"),
            (format!("@{}", file.display()), "a%0Ab"),
            (format!("q@{}", file.display()), "q=a%0Ab"),
        ] {
            assert_eq!(text(&["--data-urlencode", &value]), expected, "{value}");
        }
    }
}
