//! The parsers of lists without the run that they feed: see [`parsers`](crate::parsers).

use std::fs::File;
use std::io::{BufRead, BufReader};

use super::glob::{GlobReader, UrlGlob};
use super::lines::{LineReader, check, complete, trim};
use super::rows::{ColumnChoice, CsvReader, JsonRows, ParquetReader, ParsedRow};

/// A row of a list: its first line, and its URL or why it is not valid.
pub type Row = (u64, Result<String, String>);

/// The format of a list of rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RowFormat {
    /// Cells separated by commas.
    Csv,
    /// An object or a URL per line.
    Jsonl,
}

/// The first lines of an argument.
pub(crate) fn expand_glob(text: &str, limit: usize) -> Result<(u64, Vec<Vec<u8>>), String> {
    let glob = UrlGlob::parse(text)?;
    let count = glob.count();
    let lines = BufReader::new(GlobReader::new(vec![glob])).split(b'\n');
    let lines = lines.take(limit).collect::<Result<_, _>>();
    Ok((count, lines.map_err(|error| error.to_string())?))
}

/// The rows of a list of CSV or JSONL.
pub(crate) fn read_rows(
    format: RowFormat,
    list: &[u8],
    piece: usize,
) -> (Vec<Row>, Option<String>) {
    let mut rows = Vec::new();
    let choice = ColumnChoice::default();
    let broken = match format {
        RowFormat::Csv => {
            let mut table = CsvReader::new(b',', None, choice);
            let mut pieces = list.chunks(piece).chain([&b""[..]]);
            pieces.find_map(|piece| table.read(piece, |row| rows.push(as_row(row))).err())
        }
        RowFormat::Jsonl => JsonRows::new(None, choice)
            .map(|mut json| {
                let mut lines = LineReader::new(BufReader::with_capacity(piece, list), list.len());
                let mut each = |number, line: &[u8]| {
                    let line = trim(number, line);
                    if !line.is_empty() {
                        rows.push(as_row(json.parse(number, line)));
                    }
                };
                // Reading from memory does not fail.
                while lines.read(&mut each).unwrap_or(false) {}
            })
            .err(),
    };
    (rows, broken.map(|broken| broken.0))
}

/// The rows of a Parquet file.
pub(crate) fn read_parquet(file: File) -> (Vec<Row>, Option<String>) {
    let mut rows = Vec::new();
    let mut table = match ParquetReader::new(file, None, &ColumnChoice::default()) {
        Ok(table) => table,
        Err(broken) => return (rows, Some(broken.0)),
    };
    loop {
        match table.next() {
            Ok(Some(row)) => rows.push(as_row(row)),
            Ok(None) => return (rows, None),
            Err(broken) => return (rows, Some(broken.0)),
        }
    }
}

fn as_row(parsed: ParsedRow) -> Row {
    let url = match parsed.error {
        Some(why) => Err(why),
        None => Ok(parsed.row.url),
    };
    (parsed.line, url)
}

/// The URL of a line.
pub(crate) fn list_line(line: &[u8]) -> Result<String, String> {
    let line = complete(trim(1, line), "http://");
    Ok(check(&line)?.to_owned())
}
