//! Lists in CSV (RFC 4180) and TSV, as they come, in bounded memory.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::row::{COLUMNS, ListRow};
use crate::args::UrlColumn;

/// The longest row, in bytes; one that is longer has a quote too few.
const MAX_ROW: usize = 1 << 20;

/// The most columns.
const MAX_COLUMNS: usize = 10_000;

/// Reads a table piece by piece.
pub(super) struct CsvReader {
    /// What each column is; known after the first row.
    columns: Option<Vec<Option<&'static str>>>,
    ends: Vec<usize>,
    /// The line in which the present row begins.
    begun: u64,
    filled: (usize, usize),
    output: Vec<u8>,
    reader: Reader,
    url: Option<UrlColumn>,
}

/// A row, or why it is none, and the line in which it begins.
pub(super) struct Read {
    pub(super) line: u64,
    /// As it may be shown.
    pub(super) raw: Vec<u8>,
    pub(super) row: Result<ListRow, String>,
}

/// A table that cannot be read further.
#[derive(Debug)]
pub(super) struct TableError(pub(super) String);

impl CsvReader {
    pub(super) fn new(delimiter: u8, url: Option<UrlColumn>) -> Self {
        Self {
            columns: None,
            ends: vec![0; 64],
            begun: 1,
            filled: (0, 0),
            output: vec![0; 4096],
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            url,
        }
    }

    /// Takes the next bytes and gives `each` the rows that they complete; nothing is the end.
    ///
    /// # Errors
    ///
    /// If the first row shows no URLs, or a row has no end.
    pub(super) fn read(
        &mut self,
        mut input: &[u8],
        mut each: impl FnMut(Read),
    ) -> Result<(), TableError> {
        let end = input.is_empty();
        loop {
            if self.filled == (0, 0) {
                self.begun = self.reader.line();
            }
            let line = self.begun;
            let (output, ends) = (
                &mut self.output[self.filled.0..],
                &mut self.ends[self.filled.1..],
            );
            let (result, read, written, ended) = self.reader.read_record(input, output, ends);
            input = &input[read..];
            self.filled.0 += written;
            self.filled.1 += ended;
            match result {
                ReadRecordResult::InputEmpty if !end => return Ok(()),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.output.len() >= MAX_ROW => {
                    let why = "a row of over 1 MiB: is a quote missing?";
                    return Err(TableError(format!("line {line}: {why}")));
                }
                ReadRecordResult::OutputFull => self.output.resize(2 * self.output.len(), 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() >= MAX_COLUMNS => {
                    let why = "over 10,000 columns: is it the right separator?";
                    return Err(TableError(format!("line {line}: {why}")));
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record => self.record(&mut each)?,
                ReadRecordResult::End => return Ok(()),
            }
        }
    }

    fn record(&mut self, each: &mut impl FnMut(Read)) -> Result<(), TableError> {
        let (bytes, count) = std::mem::take(&mut self.filled);
        let ends = &self.ends[..count];
        let starts = [0].into_iter().chain(ends.iter().copied());
        let cells: Vec<_> = starts
            .zip(ends)
            .map(|(from, to)| &self.output[from..*to])
            .collect();
        let line = self.begun;
        if self.columns.is_none() {
            let (columns, head) = columns(&cells, self.url.as_ref()).map_err(TableError)?;
            self.columns = Some(columns);
            if head {
                return Ok(());
            }
        }
        let columns = self.columns.as_deref().unwrap_or_default();
        each(Read {
            line,
            raw: self.output[..bytes].to_vec(),
            row: row(&cells, columns),
        });
        Ok(())
    }
}

/// What each column is, and whether the first row says it and is no row itself.
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
    let (at, head) = match url {
        Some(UrlColumn::Named(wanted)) => {
            let at = position(&wanted.to_ascii_lowercase());
            let at = at.ok_or_else(|| {
                let found = crate::display::shown(names.join(", ").as_bytes());
                format!("line 1: there is no column {wanted:?}, but {found}")
            })?;
            (at, true)
        }
        Some(UrlColumn::Number(number)) => {
            let count = names.len();
            let cell = names.get(number - 1);
            let cell = cell.ok_or_else(|| {
                format!("line 1: there are {count} columns, none of number {number}")
            })?;
            (number - 1, !is_url(cell))
        }
        None => match (position("url"), names.iter().position(is_url)) {
            (Some(at), _) => (at, true),
            (None, Some(at)) => (at, false),
            (None, None) => {
                let why = "no column is named url, and none has one: say which by --url-column";
                return Err(format!("line 1: {why}"));
            }
        },
    };
    let known = |(index, name): (usize, &String)| match index == at {
        true => Some("url"),
        false => {
            let known = COLUMNS.into_iter().find(|known| known == name);
            known.filter(|known| head && *known != "url")
        }
    };
    Ok((names.iter().enumerate().map(known).collect(), head))
}

fn row(cells: &[&[u8]], columns: &[Option<&'static str>]) -> Result<ListRow, String> {
    let mut row = ListRow::default();
    for (cell, column) in cells.iter().zip(columns) {
        let Some(column) = column else { continue };
        let text = std::str::from_utf8(cell);
        let text =
            text.map_err(|_| format!("{column}: not valid UTF-8: save the list as UTF-8"))?;
        row.set(column, text.trim())?;
    }
    if row.url.is_empty() {
        return Err("no URL in this row".into());
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, url: Option<&str>, piece: usize) -> Result<Vec<(u64, String)>, String> {
        let url = url.map(|url| UrlColumn::parse(url).unwrap());
        let (mut table, mut rows) = (CsvReader::new(b',', url), Vec::new());
        let pieces = text.as_bytes().chunks(piece).chain([&b""[..]]);
        for piece in pieces {
            let each = |read: Read| {
                let row = read.row.map(|row| row.url).unwrap_or_else(|why| why);
                rows.push((read.line, row));
            };
            table.read(piece, each).map_err(|broken| broken.0)?;
        }
        Ok(rows)
    }

    fn urls(text: &str, url: Option<&str>) -> Vec<String> {
        let rows = read(text, url, 3).unwrap();
        rows.into_iter().map(|(_, url)| url).collect()
    }

    #[test]
    fn the_column_is_found_by_its_name_its_number_or_what_is_in_it() {
        assert_eq!(urls("id,URL\n1,http://a/\n", None), ["http://a/"]);
        assert_eq!(
            urls("1,http://a/\n2,http://b/\n", None),
            ["http://a/", "http://b/"]
        );
        assert_eq!(urls("link,x\nhttp://a/,1\n", Some("Link")), ["http://a/"]);
        assert_eq!(urls("x,link\n1,http://a/\n", Some("2")), ["http://a/"]);
        assert_eq!(urls("1,http://a/\n", Some("2")), ["http://a/"]);
        let none = read("a,b\n1,2\n", None, 100).unwrap_err();
        assert!(none.contains("--url-column"), "{none}");
        let none = read("a,b\n1,2\n", Some("c"), 100).unwrap_err();
        assert!(none.contains("no column \"c\", but a, b"), "{none}");
        assert!(
            read("a,b\n", Some("3"), 100)
                .unwrap_err()
                .contains("2 columns")
        );
    }

    #[test]
    fn quotes_hold_separators_line_ends_and_quotes() {
        let text = "url,id\n\"http://a/?x=1,2\",\"say \"\"hi\"\"\nthere\"\r\nhttp://b/,\n";
        for piece in [1, 7, 1000] {
            let rows = read(text, None, piece).unwrap();
            let rows: Vec<_> = rows.iter().map(|(_, url)| url.as_str()).collect();
            assert_eq!(rows, ["http://a/?x=1,2", "http://b/"]);
        }
    }

    #[test]
    fn rows_that_are_too_short_or_empty_are_told_and_the_rest_goes_on() {
        let rows = read("id,url\n1\n2,http://b/\n3,\n", None, 100).unwrap();
        let rows: Vec<_> = rows.iter().map(|(_, row)| row.as_str()).collect();
        assert_eq!(
            rows,
            ["no URL in this row", "http://b/", "no URL in this row"]
        );
    }

    #[test]
    fn a_quote_without_end_does_not_eat_the_list() {
        let text = format!("url\n\"http://a/\n{}", "http://b/\n".repeat(300_000));
        let why = read(&text, None, 1 << 14).unwrap_err();
        assert!(why.contains("is a quote missing?"), "{why}");
    }
}
