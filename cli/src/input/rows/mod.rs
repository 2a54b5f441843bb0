//! Lists of rows: CSV, JSONL and Parquet, with more columns than the URL.

mod body_file;
mod csv;
mod parquet;
mod row;

pub(crate) use body_file::BodyDirectory;
pub(super) use csv::CsvReader;
pub(super) use parquet::ParquetReader;
pub(super) use row::ListRow;

use crate::args::UrlColumn;
use row::COLUMNS;

/// A row, or why it is not valid, and its first line.
pub(in crate::input) struct ParsedRow {
    pub(in crate::input) line: u64,
    /// The text for messages.
    pub(in crate::input) raw: Vec<u8>,
    pub(in crate::input) row: Result<ListRow, String>,
}

/// Why a table cannot be read further.
#[derive(Debug)]
pub(in crate::input) struct TableError(pub(in crate::input) String);

/// The meaning of each column, and whether the first row is a header.
///
/// # Errors
///
/// If no column has URLs.
pub(super) fn columns(
    first: &[&[u8]],
    url: Option<&UrlColumn>,
) -> Result<(Vec<Option<&'static str>>, bool), String> {
    let name = |cell: &[u8]| {
        let cell = cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell);
        String::from_utf8_lossy(cell).trim().to_ascii_lowercase()
    };
    let names: Vec<_> = first.iter().map(|cell| name(cell)).collect();
    let position = |wanted: &str| names.iter().position(|name| name == wanted);
    let is_url = |name: &String| name.contains("://");
    let (at, has_header) = match url {
        Some(UrlColumn::Named(wanted)) => {
            let at = position(&wanted.to_ascii_lowercase());
            let at = at.ok_or_else(|| {
                let found = crate::display::sanitize(names.join(", ").as_bytes());
                format!("line 1: there is no column {wanted:?}, but {found}")
            })?;
            (at, true)
        }
        Some(UrlColumn::Number(number)) => {
            let count = names.len();
            let cell = names.get(number - 1);
            let cell = cell.ok_or_else(|| {
                format!("line 1: there is no column {number}: there are {count} columns")
            })?;
            (number - 1, !is_url(cell))
        }
        None => match (position("url"), names.iter().position(is_url)) {
            (Some(at), _) => (at, true),
            (None, Some(at)) => (at, false),
            (None, None) => {
                let why =
                    "no column is named url, and none contains a URL: name it with --url-column";
                return Err(format!("line 1: {why}"));
            }
        },
    };
    let known = |(index, name): (usize, &String)| match index == at {
        true => Some("url"),
        false => {
            let known = COLUMNS.into_iter().find(|known| known == name);
            known.filter(|known| has_header && *known != "url")
        }
    };
    Ok((names.iter().enumerate().map(known).collect(), has_header))
}
