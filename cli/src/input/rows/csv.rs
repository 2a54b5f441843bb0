//! Lists in CSV (RFC 4180) and TSV, parsed incrementally in bounded memory.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::{ListRow, ParsedRow, TableError, columns};
use crate::args::UrlColumn;

/// The longest row, in bytes. A longer one most likely lacks a closing quote.
const MAX_ROW: usize = 1 << 20;

/// The most columns.
const MAX_COLUMNS: usize = 10_000;

/// Parses a table chunk by chunk.
pub(in crate::input) struct CsvReader {
    /// The meaning of each column, known after the first row.
    columns: Option<Vec<Option<&'static str>>>,
    ends: Vec<usize>,
    /// The first line of the current row.
    first_line: u64,
    filled: (usize, usize),
    output: Vec<u8>,
    reader: Reader,
    url: Option<UrlColumn>,
}

impl CsvReader {
    pub(in crate::input) fn new(delimiter: u8, url: Option<UrlColumn>) -> Self {
        Self {
            columns: None,
            ends: vec![0; 64],
            first_line: 1,
            filled: (0, 0),
            output: vec![0; 4096],
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            url,
        }
    }

    /// Parses the next bytes and passes the rows that they complete to `each`. Empty input is the
    /// end.
    ///
    /// # Errors
    ///
    /// If no column has URLs, or a row is too long.
    pub(in crate::input) fn read(
        &mut self,
        mut input: &[u8],
        mut each: impl FnMut(ParsedRow),
    ) -> Result<(), TableError> {
        let end = input.is_empty();
        loop {
            if self.filled == (0, 0) {
                self.first_line = self.reader.line();
            }
            let line = self.first_line;
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
                    let why = "over 10,000 columns: is the separator right?";
                    return Err(TableError(format!("line {line}: {why}")));
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record => self.record(&mut each)?,
                ReadRecordResult::End => return Ok(()),
            }
        }
    }

    fn record(&mut self, each: &mut impl FnMut(ParsedRow)) -> Result<(), TableError> {
        let (bytes, count) = std::mem::take(&mut self.filled);
        let ends = &self.ends[..count];
        let starts = [0].into_iter().chain(ends.iter().copied());
        let cells: Vec<_> = starts
            .zip(ends)
            .map(|(from, to)| &self.output[from..*to])
            .collect();
        let line = self.first_line;
        if self.columns.is_none() {
            let (columns, has_header) = columns(&cells, self.url.as_ref()).map_err(TableError)?;
            self.columns = Some(columns);
            if has_header {
                return Ok(());
            }
        }
        let columns = self.columns.as_deref().unwrap_or_default();
        each(ParsedRow {
            line,
            raw: self.output[..bytes].to_vec(),
            row: row(&cells, columns),
        });
        Ok(())
    }
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
            let each = |read: ParsedRow| {
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
    fn the_url_column_is_found_by_name_number_or_content() {
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
    fn quoted_cells_may_contain_separators_line_breaks_and_quotes() {
        let text = "url,id\n\"http://a/?x=1,2\",\"say \"\"hi\"\"\nthere\"\r\nhttp://b/,\n";
        for piece in [1, 7, 1000] {
            let rows = read(text, None, piece).unwrap();
            let rows: Vec<_> = rows.iter().map(|(_, url)| url.as_str()).collect();
            assert_eq!(rows, ["http://a/?x=1,2", "http://b/"]);
        }
    }

    #[test]
    fn rows_without_a_url_are_reported_and_the_rest_is_read() {
        let rows = read("id,url\n1\n2,http://b/\n3,\n", None, 100).unwrap();
        let rows: Vec<_> = rows.iter().map(|(_, row)| row.as_str()).collect();
        assert_eq!(
            rows,
            ["no URL in this row", "http://b/", "no URL in this row"]
        );
    }

    #[test]
    fn an_unclosed_quote_stops_the_list() {
        let text = format!("url\n\"http://a/\n{}", "http://b/\n".repeat(300_000));
        let why = read(&text, None, 1 << 14).unwrap_err();
        assert!(why.contains("is a quote missing?"), "{why}");
    }
}
