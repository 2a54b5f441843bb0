//! Lists in CSV (RFC 4180) and TSV, parsed incrementally in bounded memory.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::columns::{CarriedColumns, ColumnChoice, TableColumns, json_text};
use super::{ListRow, ParsedRow, TableError};
use crate::args::UrlColumn;
use crate::display::plural;

/// The longest row, in bytes. A longer one most likely lacks a closing quote.
const MAX_ROW: usize = 1 << 20;

/// The most columns.
const MAX_COLUMNS: usize = 10_000;

/// Parses a table chunk by chunk.
pub(in crate::input) struct CsvReader {
    choice: ColumnChoice,
    /// Known after the first row.
    columns: Option<TableColumns>,
    ends: Vec<usize>,
    /// The first line of the current row.
    first_line: u64,
    filled: (usize, usize),
    /// Whether a byte of the current row was read.
    is_started: bool,
    output: Vec<u8>,
    reader: Reader,
    url: Option<UrlColumn>,
}

impl CsvReader {
    pub(in crate::input) fn new(
        delimiter: u8,
        url: Option<UrlColumn>,
        choice: ColumnChoice,
    ) -> Self {
        Self {
            choice,
            columns: None,
            ends: vec![0; 64],
            first_line: 1,
            filled: (0, 0),
            is_started: false,
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
            if !self.is_started {
                // The end of the row before may be read with this one.
                let is_end = |byte: &&u8| matches!(**byte, b'\r' | b'\n');
                let ends = &input[..input.iter().take_while(is_end).count()];
                let lines = ends.iter().filter(|byte| **byte == b'\n').count();
                self.first_line = self.reader.line() + lines as u64;
                self.is_started = ends.len() < input.len();
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
        let (_, count) = std::mem::take(&mut self.filled);
        self.is_started = false;
        let ends = &self.ends[..count];
        let starts = [0].into_iter().chain(ends.iter().copied());
        let cells: Vec<_> = starts
            .zip(ends)
            .map(|(from, to)| &self.output[from..*to])
            .collect();
        let line = self.first_line;
        let columns = match &mut self.columns {
            Some(columns) => columns,
            none => {
                let columns = TableColumns::new(&cells, self.url.as_ref(), &self.choice);
                let columns = none.insert(columns.map_err(TableError)?);
                if columns.has_header {
                    return Ok(());
                }
                columns
            }
        };
        let mut row = ListRow::default();
        let error = match cells.len() == columns.all.len() {
            true => read_row(&mut row, &cells, columns).err(),
            false => Some(unequal(cells.len(), columns.all.len())),
        };
        each(ParsedRow {
            error,
            line,
            raw: cells.join(&b","[..]),
            row,
        });
        Ok(())
    }

    /// Messages about the list that have not been returned before.
    pub(in crate::input) fn take_notes(&mut self) -> Vec<String> {
        let columns = self.columns.as_mut();
        columns.map_or_else(Vec::new, |columns| std::mem::take(&mut columns.notes))
    }
}

/// Rows have as many cells as the first one (RFC 4180, section 2.4): otherwise a separator within a
/// cell would cut off the rest of a URL.
fn unequal(cells: usize, columns: usize) -> String {
    let cells = plural(cells as u64, "cell", "cells");
    let columns = plural(columns as u64, "column", "columns");
    format!(
        "{cells} in a table of {columns}: put quotes around a cell that contains the separator, and \
         write empty cells as well"
    )
}

fn read_row(row: &mut ListRow, cells: &[&[u8]], columns: &TableColumns) -> Result<(), String> {
    let mut carried = CarriedColumns::default();
    let mut result = Ok(());
    for (cell, column) in cells.iter().zip(&columns.all) {
        if column.meaning.is_none() && column.carried.is_none() {
            continue;
        }
        let name = column.meaning.or(column.carried.as_deref());
        let Ok(text) = std::str::from_utf8(cell) else {
            let name = name.unwrap_or_default();
            let why = format!("{name}: not valid UTF-8: save the list as UTF-8");
            result = result.and(Err(why));
            continue;
        };
        if let Some(name) = &column.carried {
            carried.add(name, &json_text(text));
        }
        if let Some(name) = column.meaning {
            let set = row.set(name, text.trim());
            result = result.and(set);
        }
    }
    row.carried = carried.finish();
    result?;
    if row.url.is_empty() {
        return Err("no URL in this row".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, url: Option<&str>, piece: usize) -> Result<Vec<(u64, String)>, String> {
        let url = url.map(|url| UrlColumn::parse(url).unwrap());
        let mut table = CsvReader::new(b',', url, ColumnChoice::Others);
        let mut rows = Vec::new();
        let pieces = text.as_bytes().chunks(piece).chain([&b""[..]]);
        for piece in pieces {
            let each = |read: ParsedRow| {
                rows.push((read.line, read.error.unwrap_or(read.row.url)));
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
    fn lines_are_those_of_the_file_whatever_ends_them_and_however_they_arrive() {
        for text in [
            "http://a/\r\nhttp://b/\r\n\r\n\"http://c/\"\r\n",
            "http://a/\nhttp://b/\n\n\"http://c/\"",
        ] {
            for piece in [1, 2, 3, 1000] {
                let rows = read(text, None, piece).unwrap();
                let lines: Vec<_> = rows.iter().map(|(line, _)| *line).collect();
                assert_eq!(lines, [1, 2, 4], "{text:?} {piece}");
            }
        }
        let rows = read("url,id\n\"\nhttp://a/\",1\nhttp://b/,2\n", None, 10).unwrap();
        assert_eq!((rows[0].0, rows[1].0), (2, 4));
    }

    #[test]
    fn rows_without_a_url_are_reported_and_the_rest_is_read() {
        let rows = read("id,url\n1,\n2,http://b/\n3,\n", None, 100).unwrap();
        let rows: Vec<_> = rows.iter().map(|(_, row)| row.as_str()).collect();
        assert_eq!(
            rows,
            ["no URL in this row", "http://b/", "no URL in this row"]
        );
    }

    #[test]
    fn rows_with_more_or_fewer_cells_than_the_first_are_refused_by_line() {
        let list = "url\nhttp://a/1,2.jpg\nhttp://b/\n";
        let rows = read(list, None, 100).unwrap();
        let why = "2 cells in a table of 1 column: put quotes around a cell that contains the \
                   separator, and write empty cells as well";
        let expected = [(2, why.to_owned()), (3, "http://b/".to_owned())];
        assert_eq!(rows, expected);
        let rows = read("url,id\nhttp://a/\n\"http://b/1,2\",3\n", None, 100).unwrap();
        assert!(
            rows[0].1.starts_with("1 cell in a table of 2 columns"),
            "{rows:?}"
        );
        assert_eq!(rows[1], (3, "http://b/1,2".to_owned()));
    }

    #[test]
    fn other_cells_are_carried_as_text() {
        let mut table = CsvReader::new(b',', None, ColumnChoice::Others);
        let mut rows = Vec::new();
        let list =
            "url,caption,width,id\nhttp://a/,\" a \"\"cat\"\"\n\",007,7\nhttp://b/,,\u{ff},8\n";
        let list: Vec<u8> = list.chars().map(|c| c as u8).collect();
        table.read(&list, |row| rows.push(row)).unwrap();
        let row = &rows[0].row;
        let carried = row.carried.as_ref().unwrap();
        assert_eq!(carried.get(), r#"{"caption":" a \"cat\"\n","width":"007"}"#);
        assert_eq!(row.id.as_deref(), Some("7"));
        assert_eq!(
            rows[1].row.carried.as_ref().unwrap().get(),
            r#"{"caption":""}"#
        );
        let why = rows[1].error.as_deref().unwrap();
        assert!(why.starts_with("\"width\": not valid UTF-8"), "{why}");
        assert_eq!(rows[1].raw, b"http://b/,,\xff,8");
    }

    #[test]
    fn an_unclosed_quote_stops_the_list() {
        let text = format!("url\n\"http://a/\n{}", "http://b/\n".repeat(300_000));
        let why = read(&text, None, 1 << 14).unwrap_err();
        assert!(why.contains("is a quote missing?"), "{why}");
    }
}
