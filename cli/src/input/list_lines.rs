//! The lines of a list with their URLs, without requests.

use std::io;

use super::lines::{LineReader, complete, trim};
use super::reader::MAX_JSON_LINE;
use super::rows::JsonRows;
use super::unpack::unpack;
use super::{ListFormat, MAX_LINE, UrlSource};

/// Calls `each` with the URL and the text of each line that is not ignored, until it fails. A line that has no
/// valid URL is passed, too, with its text as the URL.
///
/// # Errors
///
/// The error of `each`, or an error that says why the list cannot be read.
pub(crate) fn for_each_line<E: From<io::Error>>(
    source: UrlSource,
    scheme: &str,
    mut each: impl FnMut(&str, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (mut rows, max_length) = match source.format {
        ListFormat::Lines => (None, MAX_LINE),
        ListFormat::Jsonl => {
            let rows = JsonRows::new(source.url_column.as_ref(), source.columns.clone());
            let rows = rows.map_err(|error| io::Error::other(error.0))?;
            (Some(rows), MAX_JSON_LINE)
        }
        ListFormat::Csv { .. } | ListFormat::Parquet => {
            let why = "only lists of lines and JSONL can be divided: convert it to JSONL";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why).into());
        }
    };
    let mut lines = LineReader::new(unpack(source.reader)?, max_length);
    let mut result = Ok(());
    loop {
        let more = lines.read(|number, line| {
            let line = trim(number, line);
            if line.is_empty() || line.starts_with(b"#") || result.is_err() {
                return;
            }
            let url = match &mut rows {
                Some(rows) => rows.parse(number, line).row.url,
                None => String::from_utf8_lossy(line).into_owned(),
            };
            let url = complete(url.trim().as_bytes(), scheme);
            result = each(&String::from_utf8_lossy(&url), line);
        });
        if !more? || result.is_err() {
            return result;
        }
    }
}
